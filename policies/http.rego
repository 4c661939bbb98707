# METADATA
# title: Method and path of a call
# description: |
#   Finds what stands for a call in a tree of paths, and matches a path with a pattern. Both take the path as the segments of
#   `input.parsed_path`: what was decided on is what is forwarded, so there is nothing to decode and nothing to clean up.
package sallyport.http

import data.sallyport.patterns

# METADATA
# title: Does a path match a pattern?
# description: |
#   For rules of your own: `http.matches(input.parsed_path, "/v1/tasks/*/cancel")`. `*` is any one segment, `/**` at the end is everything
#   below. A slash at the end is part of the path.
# scope: document
matches(path, pattern) if {
	startswith(pattern, "/")
	patterns.matches(path, split(substring(pattern, 1, -1), "/"))
}

# METADATA
# title: What a tree of paths holds for a call
# description: |
#   In the tree a key with a slash is a segment of the path and a key without one is a method:
#
#     {"/v1": {"/tasks": {"POST": "create", "/*": {"GET": "read", "/cancel": {"POST": "cancel"}}}}, "/reports": {"/**": {"GET": "reports"}}}
#
#   `/*` is any one segment that is not named beside it, `/**` is everything below that is not found more exactly, and `/` is the empty
#   segment: the root, or a slash at the end. For gRPC the path is `/package.Service`, `/Method`, and the method is POST. Of several that
#   match, the most exact is taken, so a call has one meaning. It costs one look-up a segment, however large the tree.
# scope: document
lookup(tree, method, path) := value if {
	not startswith(method, "/")
	value := found(descend(tree, path), method, path)
}

found(nodes, method, path) := nodes[count(path)][method] if {
	count(path) > 0
} else := rest[count(rest) - 1] if {
	rest := [value |
		some depth, node in nodes
		depth < count(path)
		value := node["/**"][method]
	]
	count(rest) > 0
	every segment in path {
		patterns.plain(segment)
	}
}

# Rego has no recursion: one line for each segment that a path in a tree may have. Longer paths are found under `/**` only.
descend(tree, path) := [tree, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12] if {
	n1 := child(tree, path, 0)
	n2 := child(n1, path, 1)
	n3 := child(n2, path, 2)
	n4 := child(n3, path, 3)
	n5 := child(n4, path, 4)
	n6 := child(n5, path, 5)
	n7 := child(n6, path, 6)
	n8 := child(n7, path, 7)
	n9 := child(n8, path, 8)
	n10 := child(n9, path, 9)
	n11 := child(n10, path, 10)
	n12 := child(n11, path, 11)
}

# A segment that the caller named `**` is any segment, and no way into what lies below `/**`.
child(node, path, i) := node[key] if {
	key := concat("", ["/", path[i]])
	key != "/**"
} else := node["/*"] if {
	patterns.plain(path[i])
} else := {}
