"""x"""
def render(report, thumbnails): return "<!doctype html>"
