# METADATA
# title: SPIFFE IDs
# description: |
#   Reads and matches SPIFFE IDs as the SPIFFE-ID standard has them. What is no SPIFFE ID is undefined, never a guess.
# related_resources:
# - ref: https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md
package sallyport.spiffe

import data.sallyport.patterns

# METADATA
# title: The parts of a SPIFFE ID
# description: |
#   `{"trust_domain": "example.org", "path": "/ns/agents/sa/planner", "segments": ["ns", "agents", "sa", "planner"]}`. The ID of a
#   trust domain itself has the path `""`.
# scope: document
parse(id) := {"trust_domain": name, "path": path, "segments": segments} if {
	is_string(id)
	count(id) <= 2048
	lower(substring(id, 0, 9)) == "spiffe://"
	parts := split(substring(id, 9, -1), "/")
	name := parts[0]
	is_trust_domain(name)
	segments := array.slice(parts, 1, count(parts))
	every segment in segments {
		is_segment(segment)
	}
	path := concat("/", array.concat([""], segments))
}

# METADATA
# title: The trust domain of a SPIFFE ID
# scope: document
trust_domain(id) := parse(id).trust_domain

# METADATA
# title: The Kubernetes namespace in a SPIFFE ID
# description: Of an ID of the form `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
# scope: document
namespace(id) := name if ["ns", name, "sa", _] = parse(id).segments

# METADATA
# title: The Kubernetes service account in a SPIFFE ID
# description: Of an ID of the form `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
# scope: document
service_account(id) := name if ["ns", _, "sa", name] = parse(id).segments

# METADATA
# title: Does a SPIFFE ID match a pattern?
# description: |
#   A pattern is a SPIFFE ID in whose path `*` is any one segment and `/**` at the end is everything below:
#   `spiffe://example.org/ns/*/sa/planner`, `spiffe://example.org/ns/agents/**`. A trust domain is never a pattern.
# scope: document
matches(id, pattern) if {
	startswith(pattern, "spiffe://")
	words := split(substring(pattern, 9, -1), "/")
	parsed := parse(id)
	parsed.trust_domain == words[0]
	patterns.matches(parsed.segments, array.slice(words, 1, count(words)))
}

# SPIFFE-ID 2.1
is_trust_domain(name) if {
	name != ""
	count(name) <= 255
	trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

# SPIFFE-ID 2.2
is_segment(segment) if {
	not segment in {"", ".", ".."}
	trim(segment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == ""
}
