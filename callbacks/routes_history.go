// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

var (
	selecting = []catalogue.Parameter{
		asks("since", "Since when, as 2026-03-04T05:06:07Z or as how long ago, as 6h or 2d.", ""),
		asks("until", "Until when.", ""),
		asks("type", "A type of event.", ""),
		asks("object", "An object, as items/42.", ""),
		asks("event", "The id of an event.", ""),
	}
	acting = slices.Concat(selecting, []catalogue.Parameter{
		cursorParameter, asks("limit", "How many at most.", fmt.Sprintf(`{"type":"integer","minimum":1,"maximum":%d}`, queue.MaxLimit)),
	})
	deliveriesAsked = slices.Concat([]catalogue.Parameter{
		asks("status", "How they stand.", `{"enum":["pending","delivered","dead","superseded","cancelled"]}`),
	}, selecting[:4], paging)
	reading = []catalogue.Parameter{
		asks("after", "A cursor, a time, `oldest` or `latest`.", ""),
		asks("limit", "How many events at most.", fmt.Sprintf(`{"type":"integer","minimum":1,"maximum":%d}`, maxFeedLimit)),
		asks("wait", "How long to wait for an event, as 30s; a minute at most.", ""),
		inHeader("Last-Event-ID", "Where a stream goes on."),
	}
)

// fed is the answer with a page of a feed, or a stream of what would be on it.
var fed = []catalogue.Answer{{
	Status: http.StatusOK, Text: "The events, in the order in which they were committed. With `Accept: text/event-stream`, a stream of them.",
	Body: &catalogue.Content{Schema: refers("FeedPage")}, Others: []catalogue.Content{{Types: []string{typeStream}, Schema: json.RawMessage(`{"type":"string"}`)}},
}}

// aboutVerb describes an action on deliveries, and what counts it.
func aboutVerb(id, summary, text string, count, act action) map[string]operation {
	return map[string]operation{
		http.MethodGet: {count, about{
			id: "count" + id, summary: "Count what POST would do.", parameters: selecting, answers: answers(http.StatusOK, "How many deliveries it means.", "Counted"),
		}},
		http.MethodPost: {act, about{
			id: "do" + id, summary: summary, text: text, parameters: acting, answers: answers(http.StatusAccepted, "A page of them is due.", "Acted"),
			problems: []int{http.StatusConflict},
		}},
	}
}

// historyRoutes are those by which one sees what happened, and has it sent again.
var historyRoutes = []route{
	{"/endpoints/{id}/deliveries", map[string]operation{http.MethodGet: {listDeliveries, about{
		id: "listDeliveries", summary: "List what was sent, newest first, with its attempts.", parameters: deliveriesAsked, answers: listed("Deliveries.", "Delivery"),
	}}}},
	{"/endpoints/{id}/filtered", map[string]operation{http.MethodGet: {listFiltered, about{
		id: "listFiltered", summary: "List what the filter left out.", parameters: paging, answers: answers(http.StatusOK, "Events, newest first.", "FilteredPage"),
	}}}},
	{"/endpoints/{id}/recover", aboutVerb("Recover", "Send again what is dead.", "", countRecover, doRecover)},
	{"/endpoints/{id}/replay", aboutVerb("Replay", "Send events again, or for the first time.", "A filter does not hold for that.", countReplay, doReplay)},
	{"/endpoints/{id}/feed", map[string]operation{http.MethodGet: {readFeed(true), about{
		id: "readEndpointFeed", summary: "Read the events that are meant for an endpoint.", parameters: reading, answers: fed, problems: []int{http.StatusGone},
	}}}},
	{"/feed", map[string]operation{http.MethodGet: {readFeed(false), about{
		id: "readFeed", summary: "Read all events that you may see.", parameters: reading, answers: fed, problems: []int{http.StatusGone},
	}}}},
	{"/deliveries", map[string]operation{http.MethodGet: {listAllDeliveries, about{
		id: "listAllDeliveries", summary: "List what was sent to all of your endpoints, newest first, with its attempts.", parameters: deliveriesAsked,
		answers: listed("Deliveries.", "Delivery"),
	}}}},
	{"/deliveries/{delivery}", map[string]operation{http.MethodGet: {showDelivery, about{
		id: "showDelivery", summary: "Show a delivery, with its attempts and what they sent.", answers: answers(http.StatusOK, "The delivery.", "Delivery"),
	}}}},
	{"/deliveries/{delivery}/request", map[string]operation{http.MethodGet: {showRequest, about{
		id: "showRequest", summary: "Show what a delivery sends, signed, without credentials.",
		answers: answers(http.StatusOK, "The request of an attempt that would begin now.", "Composed"), problems: []int{http.StatusUnprocessableEntity},
	}}}},
	{"/deliveries/{delivery}/resend", map[string]operation{http.MethodPost: {resendDelivery, about{
		id: "resendDelivery", summary: "Send a delivery again.", answers: answers(http.StatusAccepted, "It is due.", "Acted"), problems: []int{http.StatusConflict},
	}}}},
	{"/events", map[string]operation{http.MethodGet: {listEvents, about{
		id: "listEvents", summary: "List your events, newest first.", text: "A page may be empty although there is a `next`: it looks at so many events at most.",
		parameters: slices.Concat(selecting[:4], paging), answers: listed("Events.", "ListedEvent"),
	}}}},
	{"/events/{event}", map[string]operation{http.MethodGet: {showEvent, about{
		id: "showEvent", summary: "Show an event, with its deliveries to your endpoints.", answers: answers(http.StatusOK, "The event.", "Event"),
	}}}},
	{"/events/{event}/payload", map[string]operation{http.MethodGet: {showPayload, about{
		id: "showPayload", summary: "Show the object as it was then.",
		answers: []catalogue.Answer{{Status: http.StatusOK, Text: "What the API showed.", Body: &catalogue.Content{Types: []string{"*/*"}}}},
	}}}},
	{"/events/{event}/previous", map[string]operation{http.MethodGet: {showPrevious, about{
		id: "showPrevious", summary: "Show the object as it was before, if that is kept.",
		answers: []catalogue.Answer{{Status: http.StatusOK, Text: "What the API showed before.", Body: &catalogue.Content{Types: []string{"*/*"}}}},
	}}}},
	{"/filter", map[string]operation{http.MethodGet: {trySieve, about{
		id: "tryFilter", summary: "Say what a filter does to events of before.",
		parameters: []catalogue.Parameter{
			{Name: "filter", In: catalogue.InQuery, Text: "The filter.", Required: true},
			asks("type", "A type of event, or the beginning of types.", ""), asks("since", "Since when, as 6h or 2d. Default: a day.", ""),
		},
		answers: answers(http.StatusOK, "What it does to at most 200 of them.", "Sieved"), problems: []int{http.StatusGone, http.StatusUnprocessableEntity},
	}}}},
	{"/why", map[string]operation{http.MethodGet: {showWhy, about{
		id: "showWhy", summary: "Say why an event was sent to an endpoint, or not.",
		text: "With an `object` in place of an `event`, what became of each of its last events is told, newest first, in pages.",
		parameters: []catalogue.Parameter{
			{Name: "endpoint", In: catalogue.InQuery, Text: "The id of an endpoint.", Required: true},
			asks("event", "The id of an event, or a webhook-id.", ""),
			asks("object", "An object, as items/42.", ""),
			cursorParameter, asks("limit", "How many events of the object at most.", fmt.Sprintf(`{"type":"integer","minimum":1,"maximum":%d}`, maxWhy)),
		},
		answers: []catalogue.Answer{{
			Status: http.StatusOK, Text: "What became of it, or of each event of the object.",
			Body: &catalogue.Content{Schema: json.RawMessage(`{"anyOf":[{"$ref":"#/components/schemas/Why"},{"$ref":"#/components/schemas/WhyPage"}]}`)},
		}},
	}}}},
}
