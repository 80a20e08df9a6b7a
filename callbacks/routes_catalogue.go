// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
)

// catalogueRoutes are those that tell what there is.
var catalogueRoutes = []route{
	{"/types", map[string]operation{http.MethodGet: {listTypes, about{
		id: "listTypes", summary: "List the types of events, with their schemas.", parameters: paging, answers: listed("Types and groups, by name.", "Type"),
	}}}},
	{"/types/{name}", map[string]operation{http.MethodGet: {showType, about{
		id: "showType", summary: "Show a type of event.", answers: answers(http.StatusOK, "The type.", "Type"),
	}}}},
	{"/openapi.json", map[string]operation{http.MethodGet: {showOpenAPI, about{
		id: "describeAPI", summary: "Describe this API.", answers: []catalogue.Answer{{Status: http.StatusOK, Text: "This document.", Body: &catalogue.Content{}}},
	}}}},
}
