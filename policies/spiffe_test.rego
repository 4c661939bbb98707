package sallyport.spiffe_test

import data.sallyport.spiffe

planner := "spiffe://example.org/ns/agents/sa/planner"

# As long as the standard allows: 255 bytes of trust domain, 2,048 in all.
longest_domain := concat("", [letter | some _ in numbers.range(1, 255); letter := "d"])

test_parse_gives_the_parts if {
	spiffe.parse(planner) == {
		"trust_domain": "example.org",
		"path": "/ns/agents/sa/planner",
		"segments": ["ns", "agents", "sa", "planner"],
	}
	spiffe.parse("spiffe://example.org") == {"trust_domain": "example.org", "path": "", "segments": []}
}

test_the_scheme_is_read_in_any_case if spiffe.parse("SPIFFE://example.org/a").path == "/a"

test_what_is_no_spiffe_id_is_undefined if {
	every id in [
		"", "spiffe:", "spiffe://", "spiffe:///a", "https://example.org/a", "example.org/a", "xspiffe://example.org/a",
		"spiffe://Example.org/a", "spiffe://example.org:443/a", "spiffe://user@example.org/a", "spiffe://ex%61mple.org/a",
		"spiffe://exämple.org/a", "spiffe://*/a",
		"spiffe://example.org/", "spiffe://example.org/a/", "spiffe://example.org//a", "spiffe://example.org/a//b",
		"spiffe://example.org/.", "spiffe://example.org/a/../b", "spiffe://example.org/a/./b",
		"spiffe://example.org/a%2fb", "spiffe://example.org/a?b", "spiffe://example.org/a#b", "spiffe://example.org/a b",
		"spiffe://example.org/ä", "spiffe://example.org/a*b", "spiffe://example.org/*", "spiffe://example.org/**",
		"spiffe://example.org/a\u0000", "spiffe://example.org/a\n",
		null, 7, [planner], {"id": planner},
	] {
		not spiffe.parse(id)
	}
}

test_lengths_are_those_of_the_standard if {
	spiffe.parse($"spiffe://{longest_domain}/a").trust_domain == longest_domain
	not spiffe.parse($"spiffe://{longest_domain}d/a")
	path := concat("", [letter | some _ in numbers.range(1, 2048 - 21); letter := "p"])
	spiffe.parse($"spiffe://example.org/{path}").segments == [path]
	not spiffe.parse($"spiffe://example.org/{path}p")
}

test_trust_domain if {
	spiffe.trust_domain(planner) == "example.org"
	not spiffe.trust_domain("https://example.org/a")
}

test_namespace_and_service_account if {
	spiffe.namespace(planner) == "agents"
	spiffe.service_account(planner) == "planner"
}

test_namespace_and_service_account_of_another_form_are_undefined if {
	every id in [
		"spiffe://example.org", "spiffe://example.org/ns/agents", "spiffe://example.org/agents/planner",
		"spiffe://example.org/ns/agents/sa/planner/x", "spiffe://example.org/x/ns/agents/sa/planner",
		"spiffe://example.org/sa/planner/ns/agents", "spiffe://example.org/NS/agents/SA/planner", "spiffe://example.org/ns//sa/planner",
	] {
		not spiffe.namespace(id)
		not spiffe.service_account(id)
	}
}

test_matches if {
	every pattern in [
		planner,
		"spiffe://example.org/ns/*/sa/planner",
		"spiffe://example.org/*/*/*/*",
		"spiffe://example.org/ns/agents/**",
		"spiffe://example.org/**",
		"spiffe://example.org/ns/*/**",
	] {
		spiffe.matches(planner, pattern)
	}
	spiffe.matches("spiffe://example.org", "spiffe://example.org")
}

test_what_does_not_match if {
	every pattern in [
		"spiffe://example.com/ns/agents/sa/planner", "spiffe://example.org.evil.org/ns/agents/sa/planner",
		"spiffe://*/ns/agents/sa/planner", "spiffe://**", "*", "**",
		"spiffe://example.org", "spiffe://example.org/*", "spiffe://example.org/ns/agents", "spiffe://example.org/ns/agent/**",
		"spiffe://example.org/ns/agents/sa/plan*", "spiffe://example.org/ns/agents/sa/planner/**",
		"spiffe://example.org/ns/Agents/sa/planner", "spiffe://example.org/**/planner", "/ns/agents/sa/planner", "",
	] {
		not spiffe.matches(planner, pattern)
	}
}

test_a_namespace_is_not_the_beginning_of_another if {
	not spiffe.matches("spiffe://example.org/ns/agents2/sa/planner", "spiffe://example.org/ns/agents/**")
	not spiffe.matches("spiffe://example.org/ns/agents", "spiffe://example.org/ns/agents/**")
}

test_the_star_of_a_caller_is_no_pattern if {
	not spiffe.matches("spiffe://example.org/ns/*/sa/planner", planner)
	not spiffe.matches("spiffe://example.org/ns/*/sa/planner", "spiffe://example.org/ns/*/sa/planner")
	not spiffe.matches("spiffe://example.org/**", "spiffe://example.org/**")
}
