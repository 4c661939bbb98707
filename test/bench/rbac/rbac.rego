# A small role-based policy: agents have roles, roles have grants of methods and path prefixes.
package bench.authz

import rego.v1

default allow := false

allow if {
	some role in data.roles[input.attributes.source.principal]
	some grant in data.grants[role]
	input.attributes.request.http.method in grant.methods
	array.slice(input.parsed_path, 0, count(grant.path)) == grant.path
}
