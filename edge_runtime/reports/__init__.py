"""What the device says about itself: doctor, bench, info. Never changes anything."""
