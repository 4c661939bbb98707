package sallyport.http_test

import data.sallyport.http as calls

tree := {
	"/": {"GET": "home"},
	"/v1": {"/tasks": {
		"GET": "list",
		"POST": "create",
		"/": {"GET": "list-with-slash"},
		"/*": {"GET": "read", "/cancel": {"POST": "cancel"}},
		"/mine": {"GET": "read-mine"},
	}},
	"/reports": {
		"/**": {"GET": "reports"},
		"/salaries": {"GET": "salaries", "/**": {"GET": "one-salary"}},
	},
	"/pkg.v1.Weather": {"/Now": {"POST": "now"}},
}

deep := ["v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12"]

test_matches if {
	calls.matches(["v1", "tasks", "7", "cancel"], "/v1/tasks/*/cancel")
	calls.matches(["v1", "tasks", "7", "cancel"], "/v1/**")
	calls.matches(["reports", ""], "/reports/")
	calls.matches([""], "/")
}

test_what_does_not_match if {
	every pattern in ["v1/tasks", "", "/v1/tasks/", "/v1", "/v1/**/tasks", "/v1/task", "/V1/tasks", "//v1/tasks", "/v1//tasks", "/v1/tasks/**"] {
		not calls.matches(["v1", "tasks"], pattern)
	}
	not calls.matches(["reports", ""], "/reports/*")
}

test_lookup_finds_what_the_tree_names if {
	calls.lookup(tree, "GET", [""]) == "home"
	calls.lookup(tree, "POST", ["v1", "tasks"]) == "create"
	calls.lookup(tree, "GET", ["v1", "tasks", "7"]) == "read"
	calls.lookup(tree, "POST", ["v1", "tasks", "7", "cancel"]) == "cancel"
	calls.lookup(tree, "POST", ["pkg.v1.Weather", "Now"]) == "now"
	calls.lookup(tree, "GET", ["reports", "2026"]) == "reports"
	calls.lookup(tree, "GET", ["reports", "2026", "may"]) == "reports"
}

test_lookup_takes_the_most_exact if {
	calls.lookup(tree, "GET", ["v1", "tasks", "mine"]) == "read-mine"
	calls.lookup(tree, "GET", ["reports", "salaries"]) == "salaries"
	calls.lookup(tree, "GET", ["reports", "salaries", "7"]) == "one-salary"
}

test_a_segment_named_in_the_tree_is_no_star if not calls.lookup(tree, "POST", ["v1", "tasks", "mine", "cancel"])

test_a_slash_at_the_end_is_part_of_the_path if {
	calls.lookup(tree, "GET", ["v1", "tasks", ""]) == "list-with-slash"
	not calls.lookup(tree, "GET", ["v1", "tasks", "7", ""])
	not calls.lookup(tree, "GET", ["reports", ""])
}

test_what_the_tree_does_not_name_is_undefined if {
	not calls.lookup(tree, "GET", ["v1"])
	not calls.lookup(tree, "GET", ["v2", "tasks"])
	not calls.lookup(tree, "GET", ["v1", "tasks", "7", "cancel", "now"])
	not calls.lookup(tree, "GET", ["reports"])
	not calls.lookup(tree, "GET", ["reports2", "2026"])
	not calls.lookup(tree, "POST", ["pkg.v1.Weather", "now"])
}

test_methods_are_compared_as_they_are if {
	not calls.lookup(tree, "get", ["v1", "tasks"])
	not calls.lookup(tree, "HEAD", ["v1", "tasks"])
	not calls.lookup(tree, "*", ["v1", "tasks"])
	not calls.lookup(tree, "", ["v1", "tasks"])
}

test_the_star_of_a_caller_is_no_pattern if {
	calls.lookup(tree, "GET", ["v1", "tasks", "*"]) == "read"
	not calls.lookup(tree, "GET", ["*", "tasks"])
	not calls.lookup(tree, "GET", ["**"])
	not calls.lookup({"/a": {"/**": {"GET": "x", "/b": {"GET": "y"}}}}, "GET", ["a", "**", "b"]) == "y"
}

test_empty_and_relative_segments_are_no_wildcards if {
	every segment in ["", ".", "..", "a/b", `a\b`, "%2e%2e", "a%2fb"] {
		not calls.lookup(tree, "POST", ["v1", "tasks", segment, "cancel"])
		not calls.lookup(tree, "GET", ["reports", segment, "x"])
		not calls.lookup(tree, "GET", ["reports", "x", segment])
	}
}

test_a_method_is_no_segment_and_a_segment_no_method if {
	not calls.lookup(tree, "/tasks", ["v1"])
	not calls.lookup(tree, "/*", ["v1", "tasks"])
	not calls.lookup(tree, "GET", ["v1", "tasks", "7", "GET"])
	not calls.lookup(tree, "GET", ["v1", "tasks/*"])
}

test_paths_may_be_as_deep_as_the_lines_of_the_walk if {
	node := {"/v1": {"/v2": {"/v3": {"/v4": {"/v5": {"/v6": {"/v7": {"/v8": {"/v9": {"/v10": {"/v11": {"/v12": {"GET": "bottom"}}}}}}}}}}}}}
	calls.lookup(node, "GET", deep) == "bottom"
	not calls.lookup(node, "GET", array.concat(deep, ["v13"]))
	calls.lookup({"/v1": {"/**": {"GET": "below"}}}, "GET", array.concat(deep, ["v13"])) == "below"
}

test_what_is_no_tree_and_no_path_gives_nothing if {
	every wrong in [null, "GET", 7, ["GET"], {"/v1": "GET"}, {"/v1": ["GET"]}, {"/v1": null}] {
		not calls.lookup(wrong, "GET", ["v1"])
		not calls.lookup(wrong, "GET", ["v1", "tasks"])
	}
	every wrong in [null, "v1", 7, {}, []] {
		not calls.lookup(tree, "GET", wrong)
	}
}
