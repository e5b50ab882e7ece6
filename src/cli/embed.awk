# A text file as a C string: what ships is what is built in.
BEGIN { print "#include \"cli/sigma.h\"\nconst char hm_sigma_windows[] =" }
{ gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); print "\"" $0 "\\n\"" }
END { print ";" }
