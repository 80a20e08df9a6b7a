// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// crlf has the ends of lines that HTTP has.
func crlf(text string) string { return strings.ReplaceAll(strings.TrimLeft(text, "\n"), "\n", "\r\n") }

const mixed = `
--b
Content-Type: application/http
Content-Transfer-Encoding: binary

GET Items HTTP/1.1


--b
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: application/http
Content-ID: 1

POST Items HTTP/1.1
Content-Type: application/json
Content-Length: 7

{"n":1}
--c
Content-Type: application/http
Content-ID: 2

PATCH $1 HTTP/1.1

{}
--c
Content-Type: application/http
Content-ID: 3

POST $1/Orders HTTP/1.1

{}
--c--
--b
Content-Type: application/http

DELETE /odata/Items('a:b')?x=1 HTTP/1.1

--b--
`

const operations = `{"atomic:operations":[
	{"op":"add","href":"/odata/articles","data":{"type":"articles"}},
	{"op":"add","data":{"type":"articles","lid":"x"}},
	{"op":"update","data":{"type":"articles","id":"a/b"}},
	{"op":"update","ref":{"type":"articles","lid":"x"},"data":{"type":"articles"}},
	{"op":"remove","ref":{"type":"articles","id":"13"}},
	{"op":"add","ref":{"type":"articles","id":"1","relationship":"tags"},"data":[]},
	{"op":"remove","ref":{"type":"articles"}},
	{"op":"update","ref":{"type":"articles","lid":"unknown"}},
	{"op":"move"}]}`

const made = `POST /odata/articles {"data":{"type":"articles"}}; POST /odata/articles {"data":{"type":"articles","lid":"x"}}; ` +
	`PATCH /odata/articles/a%2Fb {"data":{"type":"articles","id":"a/b"}}; -; DELETE /odata/articles/13; ` +
	`POST /odata/articles/1/relationships/tags {"data":[]}; DELETE ?; PATCH ?;  ?`

// said returns operations as text.
func said(b *Batch) string {
	var all []string
	for _, o := range b.Operations {
		switch {
		case o.Unread != nil:
			all = append(all, o.Method+" ?")
		case o.Method == "":
			all = append(all, "-")
		default:
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Method, o.Target.RequestURI(), o.Body)))
		}
	}
	return strings.Join(all, "; ")
}

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct{ contentType, body, want string }{
		"multipart":           {"multipart/mixed; boundary=b", crlf(mixed), `GET /odata/Items; POST /odata/Items {"n":1}; -; POST ?; DELETE /odata/Items('a:b')?x=1`},
		"multipart, with LF":  {`multipart/mixed; boundary="b"`, strings.TrimLeft(mixed, "\n"), `GET /odata/Items; POST /odata/Items {"n":1}; -; POST ?; DELETE /odata/Items('a:b')?x=1`},
		"JSON":                {"application/json", `{"requests":[{"id":"1","method":"patch","url":"Items(1)","body":{"a":1}},{"id":"2","method":"DELETE","url":"/odata/Items/2"}]}`, `PATCH /odata/Items(1) {"a":1}; DELETE /odata/Items/2`},
		"JSON below a root":   {"application/json", `{"requests":[{"id":"1","method":"POST","url":"/me/messages"}]}`, `POST /odata/me/messages`},
		"JSON with reference": {"application/json", `{"requests":[{"id":"1","method":"POST","url":"Items"},{"id":"2","method":"PATCH","url":"$1"},{"id":"3","method":"PATCH","url":"/$9"}]}`, `POST /odata/Items; -; PATCH ?`},
		"JSON elsewhere":      {"application/json", `{"requests":[{"id":"1","method":"POST","url":"https://evil.example/Items"},{"id":"2","method":"POST","url":"//evil.example/Items"}]}`, `POST ?; POST ?`},
		"dot segments":        {"application/json", `{"requests":[{"id":"1","method":"POST","url":"../admin/Items"}]}`, `POST /admin/Items`},
		"atomic":              {"application/vnd.api+json", operations, made},
	} {
		at := &url.URL{Path: "/odata/$batch"}
		b, err := Parse([]byte(tc.body), tc.contentType, at)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := said(b); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, tc.want)
		}
	}
}

func TestUnreadable(t *testing.T) {
	for name, tc := range map[string]struct{ contentType, body string }{
		"cut":                {"multipart/mixed; boundary=b", crlf(mixed)[:len(mixed)/2]},
		"no boundary":        {"multipart/mixed", crlf(mixed)},
		"a part of text":     {"multipart/mixed; boundary=b", crlf("--b\nContent-Type: text/plain\n\nDELETE Items HTTP/1.1\n\n--b--\n")},
		"a part of no type":  {"multipart/mixed; boundary=b", crlf("--b\n\nDELETE Items HTTP/1.1\n\n--b--\n")},
		"sets within sets":   {"multipart/mixed; boundary=b", crlf("--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: multipart/mixed; boundary=d\n\n--d--\n--c--\n--b--\n")},
		"another object":     {"application/json", `{"a":1}`},
		"an array":           {"application/json", `[]`},
		"no JSON":            {"application/json", `{"requests":[`},
		"a name twice":       {"application/json", `{"requests":[],"Requests":[]}`},
		"a name twice below": {"application/json", `{"requests":[{"id":"1","url":"a","URL":"b"}]}`},
		"an id twice":        {"application/json", `{"atomic:operations":[{"op":"remove","ref":{"type":"a","id":"1","id":"2"}}]}`},
		"too many":           {"application/json", `{"requests":[` + strings.Repeat(`{},`, MaxOperations) + `{}]}`},
		"no object":          {"application/json", `{"requests":[1]}`},
	} {
		if b, err := Parse([]byte(tc.body), tc.contentType, &url.URL{Path: "/batch"}); err == nil {
			t.Errorf("%s: read as %s", name, said(b))
		}
	}
}

func TestAnswers(t *testing.T) {
	multi := func(parts ...string) string {
		return crlf("--r\n" + strings.Join(parts, "--r\n") + "--r--\n")
	}
	one := func(id, text string) string {
		if id != "" {
			id = "Content-ID: " + id + "\n"
		}
		return "Content-Type: application/http\n" + id + "\nHTTP/1.1 " + text + "\n\n"
	}
	set := func(parts ...string) string {
		return "Content-Type: multipart/mixed; boundary=s\n\n--s\n" + strings.Join(parts, "--s\n") + "--s--\n"
	}
	for name, tc := range map[string]struct {
		sentType, sent, answerType, answer string
		want                               string // the statuses
	}{
		"multipart":             {"multipart/mixed; boundary=b", crlf(mixed), "multipart/mixed; boundary=r", multi(one("", "200 OK"), set(one("1", "201 Created"), one("2", "204 No Content"), one("3", "201 Created")), one("", "204 No Content")), "200 201 204 201 204"},
		"in another order":      {"multipart/mixed; boundary=b", crlf(mixed), "multipart/mixed; boundary=r", multi(one("", "200 OK"), set(one("3", "201 Created"), one("2", "204 No Content"), one("1", "202 OK")), one("", "204 No Content")), "200 202 204 201 204"},
		"without ids":           {"multipart/mixed; boundary=b", crlf(mixed), "multipart/mixed; boundary=r", multi(one("", "200 OK"), set(one("", "201 Created"), one("", "204 No Content"), one("", "201 Created"))), "200 201 204 201 0"},
		"a set that is refused": {"multipart/mixed; boundary=b", crlf(mixed), "multipart/mixed; boundary=r", multi(one("", "200 OK"), one("", "409 Conflict"), one("", "204 No Content")), "200 409 409 409 204"},
		"one success for a set": {"multipart/mixed; boundary=b", crlf(mixed), "multipart/mixed; boundary=r", multi(one("", "200 OK"), one("", "200 OK")), "200 0 0 0 0"},
		"too few in a set":      {"multipart/mixed; boundary=b", crlf(mixed), "multipart/mixed; boundary=r", multi(one("", "200 OK"), set(one("", "201 Created"))), "200 0 0 0 0"},
		"no answers":            {"multipart/mixed; boundary=b", crlf(mixed), "text/html", "<h1>", "0 0 0 0 0"},
		"JSON":                  {"application/json", `{"requests":[{"id":"1","method":"POST","url":"a"},{"id":"2","method":"POST","url":"b"},{"method":"POST","url":"c"}]}`, "application/json", `{"responses":[{"id":"2","status":409},{"id":"1","status":201},{"status":200}]}`, "201 409 0"},
		"JSON, an id twice":     {"application/json", `{"requests":[{"id":"1","method":"POST","url":"a"},{"id":"1","method":"POST","url":"b"}]}`, "application/json", `{"responses":[{"id":"1","status":409},{"id":"1","status":201}]}`, "0 0"},
		"JSON, answered twice":  {"application/json", `{"requests":[{"id":"1","method":"POST","url":"a"}]}`, "application/json", `{"responses":[{"id":"1","status":409},{"id":"1","status":201}]}`, "0"},
		"atomic":                {"application/vnd.api+json", `{"atomic:operations":[{"op":"add","data":{"type":"a"}},{"op":"remove","ref":{"type":"a","id":"1"}}]}`, "application/vnd.api+json", `{"atomic:results":[{"data":{"id":"7"}},{}]}`, "201 200"},
	} {
		b, err := Parse([]byte(tc.sent), tc.sentType, &url.URL{Path: "/odata/$batch"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, a := range b.Answers(200, tc.answerType, []byte(tc.answer)) {
			got = append(got, fmt.Sprint(a.Status))
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %s, want %s", name, strings.Join(got, " "), tc.want)
		}
	}
}

// Whatever is sent, each operation is about something or says why not, and each has an
// answer.
func FuzzBatch(f *testing.F) {
	f.Add([]byte(crlf(mixed)), "multipart/mixed; boundary=b", []byte("--b\r\n\r\n--b--"))
	f.Add([]byte(`{"requests":[{"id":"1","method":"POST","url":"$1/a"}]}`), "application/json", []byte(`{"responses":[{"id":"1","status":1e9}]}`))
	f.Add([]byte(`{"atomic:operations":[{"op":"add","ref":{"lid":1}}]}`), "", []byte(`{"atomic:results":{}}`))
	f.Fuzz(func(t *testing.T, sent []byte, contentType string, answer []byte) {
		b, err := Parse(sent, contentType, &url.URL{Path: "/odata/$batch"})
		if err != nil {
			return
		}
		for _, o := range b.Operations {
			if o.Method != "" && o.Unread == nil && (o.Target == nil || !strings.HasPrefix(o.Target.Path, "/")) {
				t.Errorf("%+v leads nowhere", o)
			}
		}
		if got := b.Answers(200, contentType, answer); len(got) != len(b.Operations) {
			t.Errorf("%d answers to %d operations", len(got), len(b.Operations))
		}
	})
}
