package job

// Turn is an order in which each request comes as often as its weight says, those of one request as far apart as can be.
func Turn(requests []Request) []int {
	total := 0
	for _, request := range requests {
		total += request.Weight
	}
	order := make([]int, 0, total)
	credit := make([]int, len(requests))
	for range total {
		best := 0
		for index, request := range requests {
			credit[index] += request.Weight
			if credit[index] > credit[best] {
				best = index
			}
		}
		credit[best] -= total
		order = append(order, best)
	}
	return order
}
