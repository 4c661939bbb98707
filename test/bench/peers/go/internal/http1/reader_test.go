package http1

import (
	"errors"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"
	"testing/iotest"
)

// eachWay hands the same bytes over at once, one by one, and with the end of the connection beside the last of them.
func eachWay(text string) map[string]io.Reader {
	return map[string]io.Reader{
		"at once":      strings.NewReader(text),
		"one by one":   iotest.OneByteReader(strings.NewReader(text)),
		"data and EOF": iotest.DataErrReader(strings.NewReader(text)),
	}
}

func TestAnswersAreReadToTheirEnd(t *testing.T) {
	cases := []struct {
		method, text string
		want         Answer
	}{
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Answer{200, true, 5}},
		{"GET", "HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", Answer{200, true, 0}},
		{"GET", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nno", Answer{403, true, 2}},
		{"GET", "HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 1\r\n\r\nx", Answer{200, false, 1}},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", Answer{200, true, 5}},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n00A;name=\"v\"\r\n0123456789\r\n1 \r\nx\r\n0\r\nTrailer: 1\r\nAnother: 2\r\n\r\n", Answer{200, true, 11}},
		{"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", Answer{204, true, 0}},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", Answer{304, true, 0}},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", Answer{200, true, 0}},
		{"GET", "\r\n\r\nHTTP/1.1 200 OK\r\nX-Content-Length: 9\r\nContent-Length: 0\r\n\r\n", Answer{200, true, 0}},
	}
	for _, one := range cases {
		for way, source := range eachWay(one.text + one.text) {
			reader := NewReader(source)
			for turn := range 2 {
				if got, err := reader.ReadAnswer(one.method); err != nil || got != one.want {
					t.Errorf("%s, answer %d of %q: %+v, %v", way, turn, one.text, got, err)
				}
			}
			if _, err := reader.ReadAnswer(one.method); err != io.EOF {
				t.Errorf("%s, then %v", way, err)
			}
		}
	}
}

func TestAnAnswerWithoutLengthEndsWithItsConnection(t *testing.T) {
	for way, source := range eachWay("HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 100_000)) {
		if got, err := NewReader(source).ReadAnswer("GET"); err != nil || got != (Answer{200, false, 100_000}) {
			t.Errorf("%s: %+v, %v", way, got, err)
		}
	}
}

func TestLongBodiesPassTheBuffer(t *testing.T) {
	body := strings.Repeat("x", 1_000_000)
	text := "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + body + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nF4240\r\n" + body + "\r\n0\r\n\r\n"
	reader := NewReader(strings.NewReader(text))
	for range 2 {
		if got, err := reader.ReadAnswer("GET"); err != nil || got != (Answer{200, true, 1_000_000}) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestHostileAnswersAreRefused(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"
	for name, text := range map[string]string{
		"another version":               "HTTP/1.0 200 OK\r\n\r\n",
		"another protocol":              "ICY 200 OK\r\n\r\n",
		"lower case":                    "http/1.1 200 OK\r\n\r\n",
		"two digits":                    "HTTP/1.1 20 OK\r\n\r\n",
		"four digits":                   "HTTP/1.1 2000 OK\r\n\r\n",
		"a sign":                        "HTTP/1.1 +20 OK\r\n\r\n",
		"below 100":                     "HTTP/1.1 099 OK\r\n\r\n",
		"beyond 599":                    "HTTP/1.1 600 OK\r\n\r\n",
		"no status":                     "HTTP/1.1 \r\n\r\n",
		"two spaces":                    "HTTP/1.1  200 OK\r\n\r\n",
		"not asked to switch":           "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"NUL in the status line":        "HTTP/1.1 200 \x00\r\n\r\n",
		"bare CR in a field":            ok + "A: b\rContent-Length: 1\r\n\r\nx",
		"bare LF in a field":            ok + "A: b\nContent-Length: 1\r\n\r\nx",
		"folded field":                  ok + "A: b\r\n c\r\n\r\n",
		"space before the colon":        ok + "Content-Length : 1\r\n\r\nx",
		"no colon":                      ok + "Content-Length\r\n\r\n",
		"no name":                       ok + ": 1\r\n\r\n",
		"negative length":               ok + "Content-Length: -1\r\n\r\n",
		"signed length":                 ok + "Content-Length: +1\r\n\r\nx",
		"hex length":                    ok + "Content-Length: 0x1\r\n\r\nx",
		"empty length":                  ok + "Content-Length: \r\n\r\n",
		"length list":                   ok + "Content-Length: 1, 1\r\n\r\nx",
		"two lengths":                   ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
		"a length beyond all":           ok + "Content-Length: 99999999999999999999\r\n\r\n",
		"length and chunked":            ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked and length":            ok + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
		"another coding":                ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunked twice":                 ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"no chunk size":                 chunked + "\r\nhello\r\n0\r\n\r\n",
		"a bad chunk size":              chunked + "5g\r\nhello\r\n0\r\n\r\n",
		"a signed chunk size":           chunked + "+5\r\nhello\r\n0\r\n\r\n",
		"a chunk size beyond all":       chunked + "fffffffffffffffff\r\n",
		"a chunk longer than its size":  chunked + "4\r\nhello\r\n0\r\n\r\n",
		"a chunk shorter than its size": chunked + "6\r\nhello\r\n0\r\n\r\n",
		"chunk line without CR":         chunked + "5\nhello\r\n0\r\n\r\n",
		"an endless chunk line":         chunked + "5;" + strings.Repeat("x", 40_000),
		"endless trailers":              chunked + "0\r\n" + strings.Repeat("A: b\r\n", 40_000),
		"an endless head":               ok + strings.Repeat("A: b\r\n", 40_000),
		"an endless line":               "HTTP/1.1 200 " + strings.Repeat("x", 40_000),
	} {
		for way, source := range eachWay(text) {
			if got, err := NewReader(source).ReadAnswer("GET"); err == nil {
				t.Errorf("%s, %s: %+v", name, way, got)
			}
		}
	}
}

func TestAnAnswerCutOffAnywhereIsAnError(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
	} {
		for length := 1; length < len(text); length++ {
			for way, source := range eachWay(text[:length]) {
				if _, err := NewReader(source).ReadAnswer("GET"); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s, %q: %v", way, text[:length], err)
				}
			}
		}
	}
}

// Property: whatever sizes of chunks a body has and however the connection delivers it, the answer ends where it should.
func TestAnyChunkingIsTheSameBody(t *testing.T) {
	random := rand.New(rand.NewSource(2))
	for range 200 {
		var text strings.Builder
		var sizes []int64
		for range 5 {
			text.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			var total int64
			for range random.Intn(8) {
				size := 1 + random.Intn(30_000)
				fmt.Fprintf(&text, "%x\r\n%s\r\n", size, strings.Repeat("\n", size))
				total += int64(size)
			}
			text.WriteString("0\r\n\r\n")
			sizes = append(sizes, total)
		}
		reader := NewReader(&uneven{strings.NewReader(text.String()), random})
		for turn, want := range sizes {
			if got, err := reader.ReadAnswer("GET"); err != nil || got != (Answer{200, true, want}) {
				t.Fatalf("answer %d: %+v, %v instead of %d bytes", turn, got, err, want)
			}
		}
	}
}

// uneven gives some bytes at a time, and now and then none.
type uneven struct {
	source io.Reader
	random *rand.Rand
}

func (u *uneven) Read(into []byte) (int, error) {
	return u.source.Read(into[:u.random.Intn(min(len(into), 20_000)+1)])
}

func TestRequestsAreReadWithTheirBodies(t *testing.T) {
	text := "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\nPOST /c HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPOST /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	want := []string{"GET /a?b 0 false", "POST /c 3 false", "POST /d 3 true"}
	for way, source := range eachWay(text) {
		reader := NewReader(source)
		for _, one := range want {
			request, err := reader.ReadRequest()
			line := fmt.Sprintf("%s %s", request.Method, request.Target)
			length, failed := reader.SkipBody(request)
			if got := fmt.Sprintf("%s %d %v", line, length, request.Last); err != nil || failed != nil || got != one {
				t.Errorf("%s: %q, %v, %v instead of %q", way, got, err, failed, one)
			}
		}
		if _, err := reader.ReadRequest(); err != io.EOF {
			t.Errorf("%s: then %v", way, err)
		}
	}
}

func TestHostileRequestLinesAreRefused(t *testing.T) {
	for _, line := range []string{"GET", "GET /", "GET / HTTP/1.0", "GET  / HTTP/1.1", " / HTTP/1.1", "GET / HTTP/1.1 ", "GET / x HTTP/1.1"} {
		if got, err := NewReader(strings.NewReader(line + "\r\n\r\n")).ReadRequest(); err == nil {
			t.Errorf("%q: %s %s", line, got.Method, got.Target)
		}
	}
}
