// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// deliveryRow is a delivery in a list.
type deliveryRow struct {
	ID, Type, Object string
	// Endpoint is where it goes, and Hook what that is called, "" in the list of one webhook.
	Endpoint, Hook string
	Sequence       uint64
	State          state
	Attempts       int
	// Last says what the receiver answered last.
	Last             string
	DueAt, CreatedAt time.Time
}

// deliveries reads a page of deliveries.
func (v *visit) deliveries(q request) (rows []deliveryRow, next string, err error) {
	done, err := ask[callbacks.List[callbacks.DeliveryView]](&v.api, q)
	for i := range done.Body.Data {
		rows = append(rows, rowOfDelivery(&done.Body.Data[i]))
	}
	return rows, done.Body.Next, err
}

func rowOfDelivery(d *callbacks.DeliveryView) deliveryRow {
	row := deliveryRow{
		ID: d.ID, Type: d.Type, Object: d.Object, Endpoint: d.Endpoint, Sequence: d.Sequence, State: stateOf(deliveryStates, string(d.Status)),
		Attempts: len(d.Attempts), DueAt: d.DueAt, CreatedAt: d.CreatedAt, Last: "not tried yet",
	}
	if len(d.Attempts) > 0 {
		last := &d.Attempts[0]
		row.Attempts = max(row.Attempts, last.Number)
		if row.Last = "no answer"; last.Response != nil {
			row.Last = answerOf(last.Response)
		}
	}
	return row
}

// deliveriesPage is the list of a webhook's deliveries, or of those to all: then ID and Name
// are "".
type deliveriesPage struct {
	ID, Name string
	// Path is the page's own, without a query.
	Path string
	// None is true if there is no webhook to which anything is sent.
	None bool
	// Hooks are the webhooks of which one can be chosen.
	Hooks []option
	Tabs  []tab
	Rows  []deliveryRow
	// Status, Type, Object, Since and Until are what is looked for.
	Status, Type, Object, Since, Until string
	Types                              []string
	// Applied are the filters, each with the page without it.
	Applied []applied
	// Next leads to the following page, Query to this one, and Still to one that is not
	// refreshed.
	Next, Query, Still string
	// Later is true behind the first page. Live pages are refreshed.
	Later, Live bool
	Errors      fieldErrors
	HasFilter   bool
	Notice      string
}

// tab is one state of deliveries.
type tab struct {
	Text, Query string
	Current     bool
}

// applied is a filter that holds.
type applied struct{ Name, Value, Without string }

// narrowing are the parameters that narrow a list of deliveries.
var narrowing = []string{"status", "type", "object", "since", "until"}

// tabs are the states that deliveries are shown by.
var tabs = []struct{ status, text string }{
	{"", "All"}, {"pending", "Waiting"}, {"delivered", "Delivered"}, {"dead", "Dead"}, {"superseded", "Superseded"}, {"cancelled", "Cancelled"},
}

// showDeliveries lists what was sent to a webhook, newest first.
func showDeliveries(v *visit) error {
	done, err := v.api.endpoint(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	p := deliveriesPage{ID: done.Body.ID, Name: nameOf(&done.Body), Path: at(done.Body.ID, "deliveries"), HasFilter: done.Body.Filter != ""}
	if v.r.Header.Get("HX-Request") != "true" { // what refreshes itself takes the rows alone
		if err := v.chooseFrom(&p, &done.Body); err != nil {
			return err
		}
	}
	return v.listDeliveries(p, get("endpoints", p.ID, "deliveries"))
}

// showAllDeliveries lists what was sent to all webhooks. One that was chosen has a list of its
// own.
func showAllDeliveries(v *visit) error {
	asked := v.r.URL.Query()
	if id := asked.Get("webhook"); id != "" {
		return v.leave(strings.TrimSuffix(at(id, "deliveries")+changedQuery(asked, "cursor", ""), "?"))
	}
	p := deliveriesPage{Path: "/deliveries"}
	if err := v.chooseFrom(&p, nil); err != nil {
		return err
	}
	return v.listDeliveries(p, get("deliveries"))
}

// listDeliveries shows a page of deliveries, which the API is asked for.
func (v *visit) listDeliveries(p deliveriesPage, q request) error {
	asked := v.r.URL.Query()
	p.Status, p.Type, p.Object, p.Since, p.Until = asked.Get("status"), asked.Get("type"), asked.Get("object"), asked.Get("since"), asked.Get("until")
	p.Later, p.Live, p.Notice = asked.Get("cursor") != "", asked.Get("live") != "no", v.notice()
	p.narrow(asked)
	pairs := []string{"cursor", asked.Get("cursor")}
	for _, name := range narrowing {
		pairs = append(pairs, name, asked.Get(name))
	}
	var next string
	var err error
	p.Rows, next, err = v.deliveries(q.with(pairs...))
	status := http.StatusOK
	if problem := asProblem(err); problem != nil && problem.Status == http.StatusBadRequest {
		status, p.Errors, p.Live = problem.Status, parameterErrors(problem), false
	} else if err != nil {
		return err
	}
	if p.ID == "" {
		p.nameRows()
	}
	if next != "" {
		p.Next = changedQuery(asked, "cursor", next)
	}
	title := "Deliveries"
	if p.Name != "" {
		title += " of " + p.Name
	}
	return v.show(status, View{Name: "deliveries", Title: title, Section: "deliveries", Data: p})
}

// nameRows sets what the webhooks of rows are called.
func (p *deliveriesPage) nameRows() {
	names := make(map[string]string, len(p.Hooks))
	for _, hook := range p.Hooks {
		names[hook.Value] = hook.Text
	}
	for i := range p.Rows {
		p.Rows[i].Hook = cmp.Or(names[p.Rows[i].Endpoint], p.Rows[i].Endpoint)
	}
}

// narrow sets the tabs, and the filters that hold.
func (p *deliveriesPage) narrow(asked url.Values) {
	p.Query, p.Still = changedQuery(asked), changedQuery(asked, "live", "no")
	for _, t := range tabs {
		p.Tabs = append(p.Tabs, tab{t.text, changedQuery(asked, "status", t.status, "cursor", ""), t.status == p.Status})
	}
	for _, name := range narrowing[1:] {
		if value := asked.Get(name); value != "" {
			p.Applied = append(p.Applied, applied{fieldNames[name], value, changedQuery(asked, name, "", "cursor", "")})
		}
	}
}

// chooseFrom reads the webhooks and the types that the page offers. None is chosen for the
// list of all.
func (v *visit) chooseFrom(p *deliveriesPage, chosen *callbacks.EndpointView) error {
	hooks, err := v.hooks(chosen)
	if err != nil {
		return err
	}
	p.None = len(hooks) == 0
	p.Hooks = append([]option{{Text: "All webhooks", Chosen: chosen == nil}}, hooks...)
	types, err := v.api.types()
	for i := range types {
		p.Types = append(p.Types, types[i].Name)
	}
	return err
}

// hooks returns the webhooks of which one can be chosen: the first, and the one that is, nil
// for none.
func (v *visit) hooks(chosen *callbacks.EndpointView) ([]option, error) {
	list, err := v.api.endpoints("")
	if err != nil {
		return nil, err
	}
	var made []option
	found := chosen == nil
	for i := range list.Data {
		is := chosen != nil && list.Data[i].ID == chosen.ID
		found = found || is
		made = append(made, option{Value: list.Data[i].ID, Text: nameOf(&list.Data[i]), Chosen: is})
	}
	if !found {
		made = append(made, option{Value: chosen.ID, Text: nameOf(chosen), Chosen: true})
	}
	return made, nil
}

// changedQuery returns a link to the same page with the known parameters, some of them
// changed; "" removes one. It begins with the "?".
func changedQuery(asked url.Values, pairs ...string) string {
	made := url.Values{}
	for _, name := range append([]string{"cursor", "live"}, narrowing...) {
		if value := asked.Get(name); value != "" {
			made.Set(name, value)
		}
	}
	for pair := range slices.Chunk(pairs, 2) {
		if made.Del(pair[0]); pair[1] != "" {
			made.Set(pair[0], pair[1])
		}
	}
	return "?" + made.Encode()
}

// parameterErrors returns what is wrong with the parameters of a page.
func parameterErrors(p *callbacks.Problem) fieldErrors {
	wrong := fieldErrors{}
	for _, of := range p.Errors {
		if len(of.Pointer) > 1 {
			wrong[of.Pointer[1:]] = sentence(of.Detail) + " " + sentence(of.Remedy)
		}
	}
	return wrong
}
