package sallyport.patterns_test

import data.sallyport.patterns

test_a_word_is_only_itself if {
	patterns.matches(["v1", "tasks"], ["v1", "tasks"])
	not patterns.matches(["v1", "Tasks"], ["v1", "tasks"])
	not patterns.matches(["v1", "tasks2"], ["v1", "tasks"])
}

test_a_pattern_matches_all_of_a_path if {
	not patterns.matches(["v1", "tasks", "7"], ["v1", "tasks"])
	not patterns.matches(["v1"], ["v1", "tasks"])
	patterns.matches([], [])
	not patterns.matches(["v1"], [])
}

test_a_star_is_one_segment if {
	patterns.matches(["tasks", "7", "cancel"], ["tasks", "*", "cancel"])
	not patterns.matches(["tasks", "cancel"], ["tasks", "*", "cancel"])
	not patterns.matches(["tasks", "7", "8", "cancel"], ["tasks", "*", "cancel"])
}

test_two_stars_at_the_end_are_one_segment_or_more if {
	patterns.matches(["reports", "2026"], ["reports", "**"])
	patterns.matches(["reports", "2026", "may", "7"], ["reports", "**"])
	not patterns.matches(["reports"], ["reports", "**"])
	not patterns.matches(["reports2", "2026"], ["reports", "**"])
}

test_two_stars_elsewhere_match_nothing if {
	not patterns.matches(["a", "b", "c"], ["a", "**", "c"])
	not patterns.matches(["a", "**", "c"], ["a", "**", "c"])
}

test_a_star_within_a_word_matches_nothing_but_itself if {
	not patterns.matches(["tasks"], ["tas*"])
	patterns.matches(["tas*"], ["tas*"])
}

test_the_star_of_a_caller_is_no_pattern if {
	not patterns.matches(["*"], ["tasks"])
	not patterns.matches(["tasks", "**"], ["tasks", "7", "cancel"])
	patterns.matches(["*"], ["*"])
}

test_no_wildcard_stands_for_what_readers_read_differently if {
	every segment in ["", ".", "..", "a/b", `a\b`, "%2e%2e", "a%2fb"] {
		not patterns.matches([segment], ["*"])
		not patterns.matches(["reports", segment], ["reports", "**"])
		not patterns.matches(["reports", segment, "x"], ["reports", "**"])
	}
}

test_what_is_no_array_matches_nothing if {
	every wrong in ["tasks", null, 7, {"0": "tasks"}] {
		not patterns.matches(wrong, ["tasks"])
		not patterns.matches(wrong, ["*"])
		not patterns.matches(["tasks"], wrong)
	}
}
