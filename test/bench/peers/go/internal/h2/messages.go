package h2

import "encoding/binary"

const prefixBytes = 5

// Frame puts gRPC's prefix before a message: not compressed, and its length.
func Frame(message []byte) []byte {
	framed := make([]byte, prefixBytes, prefixBytes+len(message))
	binary.BigEndian.PutUint32(framed[1:], uint32(len(message)))
	return append(framed, message...)
}

// messageCounter finds the ends of gRPC messages in a body that comes in parts.
type messageCounter struct {
	prefix [prefixBytes]byte
	filled int
	left   uint32
}

// add takes the next part and says how many messages it completes.
func (m *messageCounter) add(data []byte) (complete int) {
	for len(data) > 0 {
		if m.filled < prefixBytes {
			taken := copy(m.prefix[m.filled:], data)
			m.filled += taken
			data = data[taken:]
			if m.filled < prefixBytes {
				return complete
			}
			m.left = binary.BigEndian.Uint32(m.prefix[1:])
		}
		taken := min(uint32(len(data)), m.left)
		data = data[taken:]
		if m.left -= taken; m.left == 0 {
			m.filled = 0
			complete++
		}
	}
	return complete
}
