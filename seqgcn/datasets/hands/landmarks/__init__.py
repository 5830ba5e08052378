"""The 21 joints that mediapipe's landmark model sees in shaded depth: joints without any label."""
