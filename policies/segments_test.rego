package sallyport.segments_test

import data.sallyport.segments

fleet := {
	"agents": {
		"spiffe://example.org/ns/agents/sa/planner": "planners",
		"spiffe://example.org/ns/agents/sa/planner/**": "replicas",
		"spiffe://example.org/ns/agents/**": "workers",
		"spiffe://example.org/**": "guests",
		"spiffe://example.org/ns/agents/sa/retired": null,
		"spiffe://partner.org/agents/reader": "readers",
	},
	"segments": {"workers": {
		"functions": {"/tasks": {"GET": "list", "POST": "create", "PUT": ["list"], "/*": {"DELETE": "delete"}}},
		"connection": "stream",
		"callers": {
			"planners": {"list": true, "create": "true", "delete": 1},
			"operators": {"*": true, "delete": false},
			"readers": ["list"],
			"guests": true,
			"nobody": {"*": false},
		},
	}},
}

wrong_shapes := [null, true, "planners", 7, [], ["planners"], {}]

test_an_agent_is_in_the_segment_that_its_id_names if {
	segments.of("spiffe://example.org/ns/agents/sa/planner") == "planners" with data.fleet as fleet
	segments.of("spiffe://partner.org/agents/reader") == "readers" with data.fleet as fleet
}

test_else_in_that_of_the_longest_part_of_its_id if {
	segments.of("spiffe://example.org/ns/agents/sa/planner/0") == "replicas" with data.fleet as fleet
	segments.of("spiffe://example.org/ns/agents/sa/writer") == "workers" with data.fleet as fleet
	segments.of("spiffe://example.org/ns/agents/x") == "workers" with data.fleet as fleet
	segments.of("spiffe://example.org/ns/other/sa/planner") == "guests" with data.fleet as fleet
}

test_what_lies_below_does_not_hold_for_the_thing_itself if {
	segments.of("spiffe://example.org/ns/agents") == "guests" with data.fleet as fleet
	not segments.of("spiffe://example.org") with data.fleet as fleet
}

test_a_namespace_is_not_the_beginning_of_another if {
	segments.of("spiffe://example.org/ns/agents2/sa/planner") == "guests" with data.fleet as fleet
	not segments.of("spiffe://example.org.evil.org/ns/agents/sa/planner") with data.fleet as fleet
}

test_the_same_path_in_another_trust_domain_is_another_agent if {
	not segments.of("spiffe://partner.org/ns/agents/sa/planner") with data.fleet as fleet
	not segments.of("spiffe://example.com/ns/agents/sa/planner") with data.fleet as fleet
}

test_an_entry_that_names_no_segment_takes_the_agent_out_of_all if {
	not segments.of("spiffe://example.org/ns/agents/sa/retired") with data.fleet as fleet
}

test_the_star_of_a_caller_is_no_pattern if {
	every id in ["spiffe://example.org/ns/agents/**", "spiffe://example.org/**", "spiffe://example.org/ns/agents/*", "*", "**"] {
		not segments.of(id) with data.fleet as fleet
	}
}

test_ids_that_two_could_read_differently_are_in_no_segment if {
	every id in [
		"spiffe://example.org/ns/agents/../x", "spiffe://example.org/ns/agents/./x", "spiffe://example.org/ns/agents//x",
		"spiffe://example.org/ns/agents/", "spiffe://example.org/", "spiffe://example.org/ns%2fagents/x", `spiffe://example.org/ns/agents\x`,
		"SPIFFE://example.org/ns/agents/sa/planner", "spiffe://EXAMPLE.ORG/ns/agents/sa/planner", "",
	] {
		not segments.of(id) with data.fleet as fleet
	}
}

test_a_function_has_the_name_that_the_segment_gives_it if {
	segments.function("workers", "GET", ["tasks"]) == "list" with data.fleet as fleet
	segments.function("workers", "DELETE", ["tasks", "7"]) == "delete" with data.fleet as fleet
	segments.connection("workers") == "stream" with data.fleet as fleet
}

test_what_has_no_name_is_no_function if {
	not segments.function("workers", "PATCH", ["tasks"]) with data.fleet as fleet
	not segments.function("workers", "PUT", ["tasks"]) with data.fleet as fleet
	not segments.function("workers", "/*", ["tasks"]) with data.fleet as fleet
	not segments.function("planners", "GET", ["tasks"]) with data.fleet as fleet
	not segments.connection("planners") with data.fleet as fleet
}

test_a_caller_may_what_it_is_given_by_name if {
	segments.may_call("planners", "workers", "list") with data.fleet as fleet
}

test_only_true_is_a_yes if {
	not segments.may_call("planners", "workers", "create") with data.fleet as fleet
	not segments.may_call("planners", "workers", "delete") with data.fleet as fleet
	not segments.may_call("readers", "workers", "list") with data.fleet as fleet
	not segments.may_call("guests", "workers", "list") with data.fleet as fleet
	not segments.may_call("nobody", "workers", "list") with data.fleet as fleet
}

test_a_star_gives_every_function_but_those_that_are_named if {
	segments.may_call("operators", "workers", "list") with data.fleet as fleet
	segments.may_call("operators", "workers", "stream") with data.fleet as fleet
	not segments.may_call("operators", "workers", "delete") with data.fleet as fleet
}

test_segments_that_say_nothing_of_each_other_do_not_call if {
	not segments.may_call("strangers", "workers", "list") with data.fleet as fleet
	not segments.may_call("planners", "planners", "list") with data.fleet as fleet
	not segments.may_call("workers", "workers", "list") with data.fleet as fleet
}

test_a_fleet_is_described_by_both_its_parts if {
	segments.described with data.fleet as fleet
	every wrong in wrong_shapes {
		not segments.described with data.fleet as wrong
	}
	every wrong in [null, true, "planners", 7, []] {
		not segments.described with data.fleet.agents as wrong with data.fleet.segments as {}
		not segments.described with data.fleet.agents as {} with data.fleet.segments as wrong
	}
}

test_data_of_another_shape_gives_nothing if {
	every wrong in wrong_shapes {
		not segments.of("spiffe://example.org/ns/agents/sa/planner") with data.fleet as wrong
		not segments.of("spiffe://example.org/ns/agents/sa/planner") with data.fleet.agents as wrong
		not segments.function("workers", "GET", ["tasks"]) with data.fleet.segments.workers as wrong
		not segments.function("workers", "GET", ["tasks"]) with data.fleet.segments.workers.functions as wrong
		not segments.may_call("planners", "workers", "list") with data.fleet.segments as wrong
		not segments.may_call("planners", "workers", "list") with data.fleet.segments.workers as wrong
		not segments.may_call("planners", "workers", "list") with data.fleet.segments.workers.callers as wrong
		not segments.may_call("planners", "workers", "list") with data.fleet.segments.workers.callers.planners as wrong
	}
}
