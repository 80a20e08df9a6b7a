// SPDX-License-Identifier: Apache-2.0

// Package receiver receives webhooks of caddy-webhooks, and of anybody who signs as
// Standard Webhooks says. It uses nothing but the standard library.
//
// A [Receiver] is an [net/http.Handler]. It verifies each delivery, drops repeats,
// brings the events of each object into order, and calls one function with each event,
// once. Only when that function has succeeded, the sender gets its 2xx; an error or a
// panic is a 500, and the event comes again.
//
//	handler, err := receiver.New(receiver.Options{
//		Secrets: []string{os.Getenv("WEBHOOK_SECRET")},
//		Store:   receiver.NewMemory(0),
//		Handle: func(ctx context.Context, e *receiver.Event) error {
//			return book(ctx, e.Object, e.Body)
//		},
//	})
//
// What was handled is remembered in a [Store]. With that of [NewSQL], and a function
// made by [InTx], the function's changes and the note that the event was handled are
// one transaction: whenever the process dies, each event is handled once.
//
// Events are numbered for each object. One that comes before its turn is held back for a
// moment ([Options.Hold]), in a request that is not answered yet, so a crash loses
// nothing. If what is missing does not come, it is fetched from the sender's feed
// ([Options.Feed]); without one, the receiver goes on, and tells of the gap. What comes
// later than that is not handled with the rest; see [Options.Late].
//
// [Verifier] verifies alone. [Document] applies the payload formats patch and merge.
package receiver
