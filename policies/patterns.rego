# METADATA
# title: Patterns of segments
# description: |
#   A pattern is an array of segments, as a path is. `*` in a pattern is any one segment, `**` at its end is one segment or more,
#   and every other segment is only itself. What a caller sends is never a pattern: its `*` is a segment named `*`.
package sallyport.patterns

# METADATA
# title: Does a pattern match all of a path?
# scope: document
matches(path, pattern) if {
	not open_ended(pattern)
	count(path) == count(pattern)
	every i, word in pattern {
		fits(path[i], word)
	}
}

matches(path, pattern) if {
	open_ended(pattern)
	last := count(pattern) - 1
	count(path) > last
	every i, word in array.slice(pattern, 0, last) {
		fits(path[i], word)
	}
	every segment in array.slice(path, last, count(path)) {
		plain(segment)
	}
}

# METADATA
# description: |
#   May a wildcard stand for this segment? Not for an empty or a relative one, nor for one that another reader might
#   decode or split once more. Sallyport refuses most of those before it asks a policy; other proxies may not.
# scope: document
plain(segment) if {
	segment != ""
	segment != "."
	segment != ".."
	not contains(segment, "/")
	not contains(segment, `\`)
	not contains(segment, "%")
}

open_ended(pattern) if pattern[count(pattern) - 1] == "**"

fits(segment, "*") if plain(segment)

fits(segment, word) if {
	segment == word
	word != "*"
	word != "**"
}
