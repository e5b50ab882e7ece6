# fields.def -> store column names: the JSON name with '.' read as '_' (the preprocessor cannot).
/^F\(/ {
    split($0, part, "\"")
    split(part[1], head, /[(, ]+/)
    gsub(/\./, "_", part[2])
    printf "#define HM_COLUMN_%s \"%s\"\n", head[3], part[2]
}
