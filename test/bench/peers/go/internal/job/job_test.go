package job

import (
	"encoding/json"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const least = `{"address":"127.0.0.1:8443","serverName":"localhost","ca":"ca.pem","cert":"c.pem","key":"c.key","protocol":"http1","connections":32,
	"requests":[{"method":"GET","path":"/a"}],"loop":{"kind":"closed"},"warmupSeconds":1,"seconds":3,"pids":[1,2]}`

// with changes fields of the least job; null takes one away.
func with(t *testing.T, changes string) string {
	t.Helper()
	fields := map[string]any{}
	for _, text := range []string{least, changes} {
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatMayBeLeftOutIsFilledIn(t *testing.T) {
	job, err := Read(strings.NewReader(least))
	if err != nil {
		t.Fatal(err)
	}
	request := job.Requests[0]
	if job.Streams != 1 || job.MessagesPerStream != 100 || request.ExpectStatus != 200 || request.Weight != 1 || request.Body != nil || job.Loop.Open() {
		t.Fatalf("%+v", job)
	}
}

func TestBodiesAreRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte(`{"action":"query"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	name, _ := json.Marshal(file)
	job, err := Read(strings.NewReader(with(t, `{"requests":[{"method":"POST","path":"/a","bodyFile":`+string(name)+`}]}`)))
	if err != nil || string(job.Requests[0].Body) != `{"action":"query"}` {
		t.Fatalf("%+v, %v", job, err)
	}
	job, err = Read(strings.NewReader(with(t, `{"protocol":"grpc","streams":8,"requests":[{"path":"/bench.Echo/Unary","bodyFile":null}]}`)))
	if err != nil || len(job.Requests[0].Body) != 51 || job.Requests[0].Method != "POST" {
		t.Fatalf("%+v, %v", job, err)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for changes, path := range map[string]string{
		`{"address":"localhost:1"}`:                                        "address",
		`{"address":"127.0.0.1"}`:                                          "address",
		`{"serverName":""}`:                                                "serverName",
		`{"protocol":"http3"}`:                                             "protocol",
		`{"connections":0}`:                                                "connections",
		`{"connections":-1}`:                                               "connections",
		`{"connections":1000000}`:                                          "connections",
		`{"streams":2}`:                                                    "streams",
		`{"protocol":"http2","streams":1001}`:                              "streams",
		`{"messagesPerStream":-1}`:                                         "messagesPerStream",
		`{"loop":{"kind":"half"}}`:                                         "loop.kind",
		`{"loop":{"kind":"open"}}`:                                         "loop.perSecond",
		`{"loop":{"kind":"open","perSecond":-5}}`:                          "loop.perSecond",
		`{"loop":{"kind":"closed","perSecond":5}}`:                         "loop.perSecond",
		`{"resume":true}`:                                                  "resume",
		`{"slowReaders":1}`:                                                "slowPath",
		`{"seconds":0}`:                                                    "seconds",
		`{"warmupSeconds":-1}`:                                             "warmupSeconds",
		`{"requests":[]}`:                                                  "requests",
		`{"requests":[{"method":"G T","path":"/"}]}`:                       "requests[0].method",
		`{"requests":[{"method":"GET","path":"a"}]}`:                       "requests[0].path",
		`{"requests":[{"method":"GET","path":"/ HTTP/1.1\r\n"}]}`:          "requests[0].path",
		`{"requests":[{"method":"GET","path":"/","weight":-1}]}`:           "requests[0].weight",
		`{"requests":[{"method":"GET","path":"/","expectStatus":20}]}`:     "requests[0].expectStatus",
		`{"requests":[{"method":"GET","path":"/","expectGrpcStatus":17}]}`: "requests[0].expectGrpcStatus",
		`{"requests":[{"method":"GET","path":"/"},{"method":"GET","path":"/","headers":{"a":"b\r\nc: d"}}]}`: "requests[1].headers",
		`{"requests":[{"method":"GET","path":"/","headers":{"a b":"c"}}]}`:                                   "requests[0].headers",
		`{"requests":[{"method":"GET","path":"/","headers":{"Content-Length":"1"}}]}`:                        "requests[0].headers",
		`{"requests":[{"method":"GET","path":"/","bodyFile":"/nowhere/at/all"}]}`:                            "requests[0].bodyFile",
		`{"conections":1}`: `"conections"`,
	} {
		if job, err := Read(strings.NewReader(with(t, changes))); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s gave %+v, %v", changes, job, err)
		}
	}
}

func TestAllMistakesAreReportedTogether(t *testing.T) {
	_, err := Read(strings.NewReader(with(t, `{"address":"x","connections":0,"requests":[{"method":"","path":""}]}`)))
	if err == nil || strings.Count(err.Error(), "job: ") != 4 {
		t.Fatal(err)
	}
}

func TestWhatIsNotOneJobIsRefused(t *testing.T) {
	for _, text := range []string{"", "{}", "[]", "null", least[:100], least + "{}", strings.Replace(least, "32", `"32"`, 1)} {
		if job, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q gave %+v", text, job)
		}
	}
}

func TestEveryRequestComesAsOftenAsItsWeightSays(t *testing.T) {
	random := rand.New(rand.NewSource(3))
	for range 200 {
		requests := make([]Request, 1+random.Intn(6))
		for index := range requests {
			requests[index].Weight = 1 + random.Intn(20)
		}
		counts := make([]int, len(requests))
		for _, index := range Turn(requests) {
			counts[index]++
		}
		for index, request := range requests {
			if counts[index] != request.Weight {
				t.Fatalf("%v for %+v", counts, requests)
			}
		}
	}
}

func TestRequestsAreMixed(t *testing.T) {
	if got := Turn([]Request{{Weight: 1}, {Weight: 3}}); !slices.Equal(got, []int{1, 0, 1, 1}) && !slices.Equal(got, []int{1, 1, 0, 1}) {
		t.Fatalf("%v", got)
	}
}
