"""The loop over a camera and what it may believe: health, smoothing, results. Knows outputs only as the protocols of
`observers`; never imports one."""
