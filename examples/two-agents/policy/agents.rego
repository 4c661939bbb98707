# One policy for both sidecars: what the planner may call, and whom the researcher lets in.
package sallyport.authz

default decision := false

decision if {
	input.sallyport.direction == "outbound"
	input.source_principal == "spiffe://example.org/agents/planner"
	input.sallyport.destination.name == "researcher.internal"
}

decision if {
	input.sallyport.direction == "inbound"
	input.source_principal == "spiffe://example.org/agents/planner"
	input.attributes.request.http.method == "GET"
}
