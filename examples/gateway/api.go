// SPDX-License-Identifier: Apache-2.0

// Package gateway is an example of a payment gateway: merchants have sales and refunds,
// ACH payments, cards that are kept up to date, and products in stock, and what was sold
// is settled in batches. Much happens inside of it, minutes or days after a request. It
// keeps everything in memory and knows nothing of webhooks; its merchants would poll.
//
//	POST /transactions                       GET /transactions/{key}
//	POST /transactions/{key}/void|unvoid|capture|adjust
//	POST /ach                                GET /ach/{key}
//	POST /ach/{key}/notes
//	POST /card_updates                       GET /card_updates/{key}
//	POST /products      GET /products        GET PATCH /products/{key}
//	GET  /batches                            GET /batches/{key}
package gateway

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The merchants, whose keys are their names.
const (
	Merchant = "7qwnw4j2kmqvrb3"
	Other    = "2bmxk9d4hzq7wtc"
)

// Passwords are those of the merchants.
var Passwords = map[string]string{Merchant: "till-7", Other: "shop-2"}

// PlatformKey is the key that sees what all merchants have.
const PlatformKey = "platform-key"

// Options say how the API behaves. The zero value is a running one.
type Options struct {
	// Later runs what happens inside, some time after a request. Default: after three
	// seconds.
	Later func(what func())
}

// API is the service.
type API struct {
	later func(func())

	mu      sync.Mutex
	objects map[string]object // by path
	last    int
}

// object is what the API shows.
type object interface{ whose() *head }

// head is what all objects begin with.
type head struct {
	Type     string `json:"type"`
	Key      string `json:"key"`
	MerchKey string `json:"merch_key"`

	number int // the order in which they were made
}

func (h *head) whose() *head { return h }

// New returns an API without objects.
func New(o Options) *API {
	if o.Later == nil {
		o.Later = func(what func()) { time.AfterFunc(3*time.Second, what) }
	}
	return &API{later: o.Later, objects: make(map[string]object)}
}

// Handler returns the API's handler.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /transactions", a.create("transactions", a.beginTransaction))
	for what, apply := range transactionChanges {
		mux.HandleFunc("POST /transactions/{key}/"+what, a.change("transactions", apply))
	}
	mux.HandleFunc("POST /transactions/{key}/capture", a.change("transactions", a.capture))
	mux.HandleFunc("POST /ach", a.create("ach", a.beginACH))
	mux.HandleFunc("POST /ach/{key}/notes", a.change("ach", addNote))
	mux.HandleFunc("POST /card_updates", a.create("card_updates", a.beginCardUpdate))
	mux.HandleFunc("POST /products", a.create("products", beginProduct))
	mux.HandleFunc("PATCH /products/{key}", a.change("products", changeProduct))
	for _, kind := range []string{"transactions", "ach", "card_updates", "products", "batches"} {
		mux.HandleFunc("GET /"+kind+"/{key}", a.change(kind, nil))
		mux.HandleFunc("GET /"+kind, a.list(kind))
	}
	return mux
}

// merchantOf returns whose a request is: a merchant's, or with "" the platform's.
func merchantOf(r *http.Request) (merchant string, known bool) {
	if r.Header.Get("Authorization") == "Bearer "+PlatformKey {
		return "", true
	}
	merchant, password, _ := r.BasicAuth()
	wanted, known := Passwords[merchant]
	return merchant, known && password == wanted
}

// request is what the body of a request holds.
type request struct {
	Kind      string `json:"kind"`
	Amount    string `json:"amount"`
	Card      string `json:"card"`
	Account   string `json:"account"`
	Queue     bool   `json:"queue"`
	Note      string `json:"note"`
	Name      string `json:"name"`
	Inventory int    `json:"inventory"`
	LineItems []item `json:"line_items"`
}

func read(w http.ResponseWriter, r *http.Request) (asked request, ok bool) {
	if r.ContentLength == 0 {
		return asked, true
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&asked); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return asked, false
	}
	return asked, true
}

// create returns a handler that makes objects of a kind.
func (a *API) create(kind string, begin func(head, request) (object, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		merchant, known := merchantOf(r)
		if !known || merchant == "" {
			refuse(w, http.StatusUnauthorized, "send the key and the password of a merchant")
			return
		}
		asked, ok := read(w, r)
		if !ok {
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		made, err := begin(a.head(kind, merchant), asked)
		if err != nil {
			refuse(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		a.keep(kind, made)
		answer(w, http.StatusCreated, made)
	}
}

// head begins a new object. The caller holds the lock, as of keep.
func (a *API) head(kind, merchant string) head {
	a.last++
	types := map[string]string{"transactions": "transaction", "products": "product", "card_updates": "card_update", "batches": "batch"}
	return head{cmp.Or(types[kind], kind), strings.ToLower(rand.Text()[:15]), merchant, a.last}
}

func (a *API) keep(kind string, o object) { a.objects["/"+kind+"/"+o.whose().Key] = o }

// change returns a handler that changes an object of a kind, and shows it.
func (a *API) change(kind string, apply func(object, request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked, ok := read(w, r)
		if !ok {
			return
		}
		merchant, known := merchantOf(r)
		a.mu.Lock()
		defer a.mu.Unlock()
		found := a.objects["/"+kind+"/"+r.PathValue("key")]
		if !known || found == nil || !sees(merchant, found) {
			refuse(w, http.StatusNotFound, "there is no such object")
			return
		}
		if apply != nil {
			if err := apply(found, asked); err != nil {
				refuse(w, http.StatusConflict, err.Error())
				return
			}
		}
		answer(w, http.StatusOK, found)
	}
}

// list returns a handler that lists the objects of a kind.
func (a *API) list(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		merchant, known := merchantOf(r)
		if !known {
			refuse(w, http.StatusUnauthorized, "send the key and the password of a merchant")
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		found := []object{}
		for path, o := range a.objects {
			if strings.HasPrefix(path, "/"+kind+"/") && sees(merchant, o) {
				found = append(found, o)
			}
		}
		slices.SortFunc(found, func(a, b object) int { return cmp.Compare(a.whose().number, b.whose().number) })
		answer(w, http.StatusOK, map[string]any{kind: found})
	}
}

func sees(merchant string, o object) bool {
	return merchant == "" || merchant == o.whose().MerchKey
}

// inside does something with the lock held, some time after a request.
func (a *API) inside(what func()) {
	a.later(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		what()
	})
}

func refuse(w http.ResponseWriter, status int, why string) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="gateway"`)
	}
	answer(w, status, map[string]string{"error": why})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have gone
}

func isNot(what, status string) error { return fmt.Errorf("it is not %s, but %s", what, status) }
