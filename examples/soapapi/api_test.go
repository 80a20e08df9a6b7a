// SPDX-License-Identifier: Apache-2.0

package soapapi

import (
	"fmt"
	"strings"
	"testing"
)

func TestAPI(t *testing.T) {
	a := New()
	const bicycle = `<m:item><m:id>1</m:id><m:name>Bicycle &amp; bell</m:name><m:state>%s</m:state><m:amount>5</m:amount><m:version>%d</m:version></m:item>`
	for i, tc := range []struct {
		operation, content, want string
		status                   int
	}{
		{"CreateItem", `<name>Bicycle &amp; bell</name><amount>5</amount>`, fmt.Sprintf(bicycle, "new", 1), 200},
		{"UpdateItem", `<id>1</id><state>sold</state>`, fmt.Sprintf(bicycle, "sold", 2), 200},
		{"GetItem", `<id>1</id>`, fmt.Sprintf(bicycle, "sold", 2), 200},
		{"ListItems", ``, fmt.Sprintf(bicycle, "sold", 2), 200},
		{"DeleteItem", `<id>1</id>`, `<m:deleted>true</m:deleted>`, 200},
		{"GetItem", `<id>1</id>`, `<faultstring>there is no such item</faultstring>`, 500},
		{"CreateItem", ``, `<faultstring>an item needs a name</faultstring>`, 500},
		{"Nothing", ``, `<faultstring>there is no such operation</faultstring>`, 500},
	} {
		body := `<e:Envelope xmlns:e="` + envelopeSpace + `"><e:Body><` + tc.operation + ` xmlns="` + itemSpace + `">` + tc.content + `</` + tc.operation + `></e:Body></e:Envelope>`
		status, got := send(a, "POST", "/soap", "text/xml; charset=utf-8", body, "SOAPAction", `"`+itemSpace+`#`+tc.operation+`"`)
		if status != tc.status || !strings.Contains(got, tc.want) {
			t.Errorf("Test %d: %d %s; want %d %s", i, status, got, tc.status, tc.want)
		}
		if response := "<m:" + tc.operation + `Response xmlns:m="` + itemSpace + `">`; status == 200 && !strings.Contains(got, response) {
			t.Errorf("Test %d: %s; want %s", i, got, response)
		}
	}
	if status, got := send(a, "POST", "/soap", "text/xml", `<e:Envelope xmlns:e="`+envelopeSpace+`"><e:Body><GetItem/></e:Body></e:Envelope>`, "SOAPAction", "other"); status != 500 || !strings.Contains(got, "different operations") {
		t.Errorf("%d %s", status, got)
	}
	if status, got := send(a, "POST", "/soap", "text/xml", `<Envelope/>`); status != 500 || !strings.Contains(got, "no SOAP envelope") {
		t.Errorf("%d %s", status, got)
	}
	sold := Item{ID: "1", Name: "Bicycle & bell", State: "sold", Amount: 5, Version: 2}
	checkChanges(
		t, a,
		Change{Operation: "create", Item: Item{ID: "1", Name: "Bicycle & bell", State: "new", Amount: 5, Version: 1}},
		Change{Operation: "update", Item: sold}, Change{Operation: "delete", Item: sold},
	)
}
