// SPDX-License-Identifier: Apache-2.0

package body

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

const mediaXML = "application/xml"

func TestNormalise(t *testing.T) {
	for _, tc := range []struct {
		name, media, body, want string
	}{
		{"JSON", "application/json", ` { "id" : 1.0e2 } `, ` { "id" : 1.0e2 } `},
		{"a scalar", "application/json; charset=utf-8", `7`, `7`},
		{"a JSON dialect", "application/vnd.api+json", `[1]`, `[1]`},
		{"a byte order mark", "application/json", "\xef\xbb\xbf{}", `{}`},
		{"no type", "", `{"id":1}`, `{"id":1}`},
		{"a malformed type", "application/json; x", `7`, `7`},
		{"PHP's default", "text/html; charset=UTF-8", `{"id":1}`, `{"id":1}`},
		{"curl's default", mediaForm, `{"id":1}`, `{"id":1}`},
		{"a form that looks like JSON", mediaForm, `{"id=1`, `{"{\"id":"1"}`},
		{"XML sent as JSON", "application/json", `<a>1</a>`, `{"a":"1"}`},
		{"JSON sent as XML", mediaXML, `{"a":1}`, `{"a":1}`},

		{"lines", "application/x-ndjson", "{\"id\":1}\n\n [2] \r\n\"x\"", `[{"id":1},[2],"x"]`},
		{"one line", "application/jsonl", `{"id":1}`, `[{"id":1}]`},
		{"a sequence", "application/json-seq", "\x1e{\"id\":1}\n\x1e{\"id\":2}\n", `[{"id":1},{"id":2}]`},

		{"form", mediaForm, "id=7&name=a+b%26c&empty=&flag", `{"id":"7","name":"a b&c","empty":"","flag":""}`},
		{"form with a line end", mediaForm, "id=7\r\n", `{"id":"7"}`},
		{"repeated", mediaForm, "a=1&b=2&a=3", `{"a":["1","3"],"b":"2"}`},
		{"nested", mediaForm, "item[id]=7&item[tag][]=x&item[a][b]=y", `{"item":{"id":"7","tag":["x"],"a":{"b":"y"}}}`},
		{"escaped brackets", mediaForm, "item%5Bid%5D=7", `{"item":{"id":"7"}}`},
		{"indexed", mediaForm, "l[0][id]=1&l[1][id]=2", `{"l":{"0":{"id":"1"},"1":{"id":"2"}}}`},
		{"lists", mediaForm, "ids[]=1&ids[]=2", `{"ids":["1","2"]}`},
		{"a value, then an object", mediaForm, "a=1&a[b]=2", `{"a":"1","a[b]":"2"}`},
		{"an object, then a value", mediaForm, "a[b]=2&a=1&c=3", `{"a":{"b":"2"},"c":"3"}`},
		{"through a value", mediaForm, "a[b]=1&a[b][c]=2", `{"a":{"b":"1"},"a[b][c]":"2"}`},
		{"brackets that do not pair", mediaForm, "a[b=1&[c]=2&d]=3&e[f]g=4&h[[i]]=5&j[][k]=6", `{"a[b":"1","[c]":"2","d]":"3","e[f]g":"4","h[[i]]":"5","j[][k]":"6"}`},
		{"bad escapes", mediaForm, "a=%zz%4&b=1%", `{"a":"%zz%4","b":"1%"}`},
		{"not UTF-8", mediaForm, "a=%ff", `{"a":"\ufffd"}`},

		{"XML", mediaXML, "<?xml version=\"1.0\"?>\n<!-- c --><item><id>7</id><name> a &amp; &lt;b&gt; <![CDATA[<c>]]></name><none/></item>\n", `{"item":{"id":"7","name":"a & <b> <c>","none":""}}`},
		{"attributes", mediaXML, `<item id="7" x:kind="k"><n u="kg">5</n></item>`, `{"item":{"-id":"7","-kind":"k","n":{"-u":"kg","#text":"5"}}}`},
		{"mixed", mediaXML, `<p>a<b>c</b>d</p>`, `{"p":{"#text":"ad","b":"c"}}`},
		{"repeated elements", mediaXML, `<l><i>1</i><j/><i>2</i></l>`, `{"l":{"i":["1","2"],"j":""}}`},
		{"repeated attributes", mediaXML, `<l a:x="1" b:x="2"/>`, `{"l":{"-x":["1","2"]}}`},
		{"namespaces", "application/soap+xml", `<s:Envelope xmlns:s="urn:s"><s:Body><m:R xmlns:m="urn:m" xmlns="u"><id>7</id></m:R></s:Body></s:Envelope>`, `{"Envelope":{"Body":{"R":{"id":"7"}}}}`},
		{"two namespaces, one name", mediaXML, `<l xmlns:a="a" xmlns:b="b"><a:id>1</a:id><b:id>2</b:id></l>`, `{"l":{"id":["1","2"]}}`},
		{"schema types", mediaXML, `<l xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id xsi:type="xsd:string">7</id><n xsi:nil="true"/></l>`, `{"l":{"id":"7","n":null}}`},
		{"numbers", mediaXML, `<a>007</a>`, `{"a":"007"}`},
		{"a DTD elsewhere", mediaXML, `<!DOCTYPE a SYSTEM "http://x.example/a.dtd"><a>1</a>`, `{"a":"1"}`},
		{"Latin 1 declared", "text/xml", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xfc</a>", `{"a":"ü"}`},
		{"Latin 1 by type", "text/xml; charset=iso-8859-1", "<?xml version=\"1.0\" encoding=\"utf-8\"?><a>\xfc</a>", `{"a":"ü"}`},
		{"UTF-16", "text/xml", "\xfe\xff\x00<\x00a\x00>\x00\xfc\x00<\x00/\x00a\x00>", `{"a":"ü"}`},
		{"sniffed XML", "text/plain", ` <a/>`, `{"a":""}`},
		{"XML sent as HTML", "text/html", `<?xml version="1.0"?><a/>`, `{"a":""}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Normalise([]byte(tc.body), tc.media)
			if err != nil || string(got) != tc.want && !sameJSON(got, tc.want) {
				t.Errorf("got %s, %v; want %s", got, err, tc.want)
			}
		})
	}
}

// sameJSON compares with the order of members and with repeated names, but
// not by how a character is escaped.
func sameJSON(got []byte, want string) bool {
	if !json.Valid(got) {
		return false
	}
	tokens := func(text string) string {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var all strings.Builder
		for token, err := d.Token(); err == nil; token, err = d.Token() {
			fmt.Fprintf(&all, "%T %v\n", token, token)
		}
		return all.String()
	}
	return tokens(string(got)) == tokens(want)
}

func TestNormaliseRefuses(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	for _, tc := range []struct {
		name, media, body string
		want              error
	}{
		{"empty", "application/json", "", ErrNoStructure},
		{"blank", "", " \r\n", ErrNoStructure},
		{"cut JSON", "application/json", `{"id":1`, ErrNoStructure},
		{"cut JSON without a type", "", `{"id":1`, ErrNoStructure},
		{"two documents", "application/json", `{"id":1}{"id":2}`, ErrNoStructure},
		{"text", "text/plain", "id=7", ErrNoStructure},
		{"bytes", "application/octet-stream", "\x89PNG", ErrNoStructure},
		{"a cut line", "application/x-ndjson", "{\"id\":1}\n{\"id\":", ErrNoStructure},
		{"an empty form", mediaForm, "&", ErrNoStructure},
		{"HTML", "text/html", "<!doctype html><html><body>x</body></html>", ErrNoStructure},
		{"well-formed HTML", "text/html", "<div>1</div>", ErrNoStructure},
		{"XHTML", "application/xhtml+xml", `<?xml version="1.0"?><html/>`, ErrNoStructure},
		{"HTML without a type", "", "<HTML><p>x</p></HTML>", ErrNoStructure},
		{"cut XML", mediaXML, "<a><b>1</b>", ErrNoStructure},
		{"crossed XML", mediaXML, "<a><b></a></b>", ErrNoStructure},
		{"two roots", mediaXML, "<a/><b/>", ErrNoStructure},
		{"an entity", mediaXML, "<a>&x;</a>", ErrNoStructure},
		{"a DTD", mediaXML, `<!DOCTYPE a [<!ENTITY x "y">]><a>1</a>`, ErrNoStructure},
		{"an entity that unfolds", mediaXML, `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, ErrNoStructure},
		{"an unknown charset", "text/xml; charset=none", "<a/>", ErrNoStructure},
		{"no XML at all", mediaXML, "hello", ErrNoStructure},
		{"deep XML", mediaXML, deep(maxLevels + 1), ErrTooLarge},
		{"many elements", mediaXML, "<a>" + strings.Repeat("<b/>", maxNodes) + "</a>", ErrTooLarge},
		{"text that unfolds", mediaXML, "<a>" + strings.Repeat("&lt;", MaxSize/5) + "</a>", ErrTooLarge},
		{"many fields", mediaForm, strings.Repeat("a&", maxFields+1), ErrTooLarge},
		{"a form that unfolds", mediaForm, "a=" + strings.Repeat("\x01", MaxSize/5), ErrTooLarge},
		{"multipart without a boundary", "multipart/form-data", "x", ErrNoStructure},
		{"cut multipart", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1", ErrNoStructure},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Normalise([]byte(tc.body), tc.media)
			if got != nil || !errors.Is(err, tc.want) {
				t.Errorf("%d bytes, %v; want %v", len(got), err, tc.want)
			}
		})
	}
	if _, err := Normalise([]byte(deep(maxLevels)), mediaXML); err != nil {
		t.Errorf("%d levels: %v", maxLevels, err)
	}
}

func TestMultipart(t *testing.T) {
	body := strings.ReplaceAll(`--b
Content-Disposition: form-data; name="item[id]"

7
--b
Content-Disposition: form-data; name="meta"
Content-Type: application/json

{"a": [1]}
--b
Content-Disposition: form-data; name="scan"; filename="a.pdf"
Content-Type: application/pdf

SECRET
--b
Content-Disposition: form-data; name="tag"

x
--b
Content-Disposition: form-data; name="tag"

y
--b--
`, "\n", "\r\n")
	got, err := Normalise([]byte(body), `multipart/form-data; boundary="b"`)
	if want := `{"item":{"id":"7"},"meta":{"a": [1]},"tag":["x","y"]}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

// The paths that rules use are read with gjson, so gjson must find the values.
func TestPathsOfXML(t *testing.T) {
	soap := `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
		<GetItemResponse xmlns="urn:x"><item id="a7" v:rev="3"><id>42</id><note lang="en">hi</note></item></GetItemResponse>
	</soap:Body></soap:Envelope>`
	got, err := Normalise([]byte(soap), "text/xml")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"Envelope.Body.GetItemResponse.item.id":          "42",
		"Envelope.Body.GetItemResponse.item.-id":         "a7",
		"Envelope.Body.GetItemResponse.item.-rev":        "3",
		"Envelope.Body.GetItemResponse.item.note.#text":  "hi",
		"Envelope.Body.GetItemResponse.item.note.-lang":  "en",
		"Envelope.Body.*.item.id":                        "42",
		"Envelope.Body.GetItemResponse.item.note.#text|": "",
	} {
		if value := event.Text(json.RawMessage(gjson.GetBytes(got, path).Raw)); value != want {
			t.Errorf("%s is %q, want %q", path, value, want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, media := range []string{"", "application/json", mediaForm, mediaXML, "application/x-ndjson", "multipart/form-data; boundary=b", "text/xml; charset=utf-16", "text/html"} {
		for _, body := range []string{
			`{"id":1,"id":2}`, "a[b]=1&a=2&c[]=3", "<a x='1'><b>1</b><b/>t<![CDATA[<]]></a>", "{}\n{}", "\xff\xfe<\x00a\x00/\x00>\x00",
			"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--", "<?xml version='1.0' encoding='x-sjis'?><a>\x81</a>", "<a:b:c xmlns:a='&#1;'/>",
		} {
			f.Add([]byte(body), media)
		}
	}
	f.Fuzz(func(t *testing.T, plain []byte, media string) {
		got, err := Normalise(plain, media)
		switch {
		case err != nil && (got != nil || !errors.Is(err, ErrNoStructure) && !errors.Is(err, ErrTooLarge)):
			t.Errorf("%q, %v", got, err)
		case err == nil && !json.Valid(got):
			t.Errorf("not JSON: %q", got)
		case err == nil && len(got) > max(MaxSize, len(plain)):
			t.Errorf("%d bytes", len(got))
		}
		if err == nil && !json.Valid(plain) && repeats(gjson.ParseBytes(got)) && !strings.Contains(media, "json") && !strings.Contains(media, "multipart") {
			t.Errorf("a name is repeated: %s", got)
		}
	})
}
