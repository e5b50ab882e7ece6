# a step of schema/ as C string literals (meson turns backslashes of a command line into slashes)
s/\\/\\\\/g
s/"/\\"/g
s/^/"/
s/$/\\n"/
