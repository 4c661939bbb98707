package main

import "unsafe"

// held keeps every buffer that the host has an address of from being collected; Go's collector does not move memory.
var held = map[uint32][]byte{}

func hold(buffer []byte) uint32 {
	address := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(buffer))))
	held[address] = buffer
	return address
}

// alloc returns the address of size fresh bytes, for the host to write a request to.
//
//go:wasmexport rego_alloc
func alloc(size uint32) uint32 {
	return hold(make([]byte, max(size, 1)))
}

// call runs the request in the size bytes at address, which it frees, and returns the answer's address in the upper and
// its length in the lower 32 bits. The host frees the answer.
//
//go:wasmexport rego_call
func call(address, size uint32) uint64 {
	request := held[address][:size]
	free(address)
	answer := dispatch(request)
	return uint64(hold(answer))<<32 | uint64(len(answer))
}

// free gives up the buffer at address.
//
//go:wasmexport rego_free
func free(address uint32) {
	delete(held, address)
}
