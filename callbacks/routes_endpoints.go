// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"net/http"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
)

// endpointRoutes are those by which endpoints are managed.
var endpointRoutes = []route{
	{"/endpoints", map[string]operation{
		http.MethodGet: {listEndpoints, about{
			id: "listEndpoints", summary: "List your endpoints.", parameters: paging, answers: listed("Your endpoints, by id.", "Endpoint"),
		}},
		http.MethodPost: {once(createEndpoint), about{
			id: "createEndpoint", summary: "Make an endpoint.",
			text:       "A test is posted to `url`, and nothing is made unless it is answered with success. The secret is shown this once.",
			parameters: []catalogue.Parameter{idempotencyKey}, body: sends("EndpointChange", false),
			answers:  answers(http.StatusCreated, "It is there.", "Endpoint", "Location", "ETag", "Idempotency-Replayed"),
			problems: slices.Concat(bodyProblems, []int{http.StatusConflict, http.StatusGone}),
		}},
	}},
	{"/endpoints/{id}", map[string]operation{
		http.MethodGet: {showEndpoint, about{
			id: "showEndpoint", summary: "Show an endpoint.", parameters: []catalogue.Parameter{inHeader("If-None-Match", "An etag that is known.")},
			answers: append(answers(http.StatusOK, "The endpoint.", "Endpoint", "ETag"), answers(http.StatusNotModified, "It is as it was.", "", "ETag")...),
		}},
		http.MethodPut: {replaceEndpoint, about{
			id: "replaceEndpoint", summary: "Replace an endpoint.",
			text:       "What is left out gets its default, but for `auth`, `status` and the secrets, which stay.",
			parameters: []catalogue.Parameter{ifMatch}, body: sends("EndpointChange", false),
			answers: answers(http.StatusOK, "It is as you want it.", "Endpoint", "ETag"), problems: slices.Concat(bodyProblems, changesProblems),
		}},
		http.MethodPatch: {patchEndpoint, about{
			id: "changeEndpoint", summary: "Change an endpoint.", text: "As RFC 7396 has it: `null` removes a member.",
			parameters: []catalogue.Parameter{ifMatch},
			body:       &catalogue.Content{Types: []string{typeMerge, typeJSON}, Schema: refers("EndpointChange")},
			answers:    answers(http.StatusOK, "It is as you want it.", "Endpoint", "ETag"), problems: slices.Concat(bodyProblems, changesProblems),
		}},
		http.MethodDelete: {deleteEndpoint, about{
			id: "deleteEndpoint", summary: "Delete an endpoint.", text: "What waits for it is cancelled.", parameters: []catalogue.Parameter{ifMatch},
			answers: answers(http.StatusNoContent, "It is gone.", ""), problems: changesProblems,
		}},
	}},
	{"/endpoints/{id}/pause", map[string]operation{http.MethodPost: {pauseEndpoint, about{
		id: "pauseEndpoint", summary: "Have deliveries wait.", parameters: []catalogue.Parameter{ifMatch},
		answers: answers(http.StatusOK, "It is paused.", "Endpoint", "ETag"), problems: changesProblems,
	}}}},
	{"/endpoints/{id}/resume", map[string]operation{http.MethodPost: {resumeEndpoint, about{
		id: "resumeEndpoint", summary: "Have deliveries go on.", text: "It also wakes an endpoint that was disabled.", parameters: []catalogue.Parameter{ifMatch},
		answers: answers(http.StatusOK, "It is active, unless the operator has paused it.", "Endpoint", "ETag"), problems: changesProblems,
	}}}},
	{"/endpoints/{id}/test", map[string]operation{http.MethodPost: {testEndpoint, about{
		id: "testEndpoint", summary: "Send a test to the receiver, and see what came of it.",
		text:       "With a `type`, a sample of it is sent as an event, which is marked with `webhook-op: test`.",
		parameters: []catalogue.Parameter{waiting}, body: sends("TestChange", true), problems: bodyProblems,
		answers: append(answers(http.StatusOK, "What was sent, and what came back.", "Verification"), answers(http.StatusAccepted, "The sample is on its way.", "Simulated")...),
	}}}},
	{"/endpoints/{id}/secrets", map[string]operation{http.MethodPost: {once(rotateSecret), about{
		id: "rotateSecret", summary: "Replace the secret.", text: "Those before sign beside it for `overlap`; with `0s` they end at once.",
		parameters: []catalogue.Parameter{ifMatch, idempotencyKey}, body: sends("Rotation", true),
		answers:  answers(http.StatusCreated, "The new secret, which is shown this once.", "Rotated", "ETag", "Idempotency-Replayed"),
		problems: slices.Concat(bodyProblems, changesProblems),
	}}}},
	{"/endpoints/{id}/secrets/{secret}", map[string]operation{http.MethodDelete: {revokeSecret, about{
		id: "revokeSecret", summary: "Have a replaced secret sign nothing more.", parameters: []catalogue.Parameter{ifMatch},
		answers: answers(http.StatusNoContent, "It signs nothing more.", ""), problems: changesProblems,
	}}}},
	{"/endpoints/{id}/snapshot", map[string]operation{
		http.MethodGet: {showSnapshot, about{
			id: "showSnapshot", summary: "Say how far what the endpoint begins with is.", answers: answers(http.StatusOK, "How far it is.", "Run"),
		}},
		http.MethodPost: {startSnapshot, about{
			id: "startSnapshot", summary: "Have the endpoint be told of all objects, once more.",
			answers:  answers(http.StatusAccepted, "It has begun.", "Run", "Location"),
			problems: []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity},
		}},
		http.MethodDelete: {cancelSnapshot, about{
			id: "cancelSnapshot", summary: "End it, wherever it is.", answers: answers(http.StatusOK, "It has ended.", "Run"), problems: []int{http.StatusConflict},
		}},
	}},
}
