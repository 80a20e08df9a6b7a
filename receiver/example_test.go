// SPDX-License-Identifier: Apache-2.0

package receiver_test

import (
	"context"
	"database/sql"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/receiver"
)

// A receiver that remembers in memory.
func Example() {
	handler, err := receiver.New(receiver.Options{
		Secrets: []string{os.Getenv("WEBHOOK_SECRET")},
		Store:   receiver.NewMemory(0),
		Handle: func(ctx context.Context, e *receiver.Event) error {
			return book(ctx, e.Object, e.Op, e.Body)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /hooks", handler)
}

// A receiver whose function writes in the transaction in which the event is remembered.
func ExampleInTx() {
	ctx, db := context.Background(), openDatabase()
	store, err := receiver.NewSQL(ctx, db, receiver.SQLOptions{Dollar: true}) // PostgreSQL; without Dollar, SQLite and MySQL
	if err != nil {
		log.Fatal(err)
	}
	handler, err := receiver.New(receiver.Options{
		Secrets: []string{os.Getenv("WEBHOOK_SECRET")},
		Store:   store,
		Handle: receiver.InTx(func(ctx context.Context, tx *sql.Tx, e *receiver.Event) error {
			_, err := tx.ExecContext(ctx, "UPDATE invoices SET state = 'paid' WHERE item = $1", e.Object)
			return err
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /hooks", handler)
}

// A receiver that fetches what is missing from the feed.
func ExampleReceiver_CatchUp() {
	ctx := context.Background()
	handler, err := receiver.New(receiver.Options{
		Secrets: []string{os.Getenv("WEBHOOK_SECRET")},
		Store:   receiver.NewMemory(0),
		Handle:  func(ctx context.Context, e *receiver.Event) error { return book(ctx, e.Object, e.Op, e.Body) },
		Feed: &receiver.Feed{
			URL:    "https://api.example.com/webhooks/endpoints/ep_5k2/feed",
			Begin:  os.Getenv("WEBHOOK_CURSOR"), // told when the endpoint was made
			Header: http.Header{"Authorization": {"Bearer " + os.Getenv("WEBHOOK_KEY")}},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for ctx.Err() == nil {
			if err := handler.CatchUp(ctx); err != nil {
				log.Print(err)
			}
			time.Sleep(time.Hour)
		}
	}()
	http.Handle("POST /hooks", handler)
}

// An object that is kept up to date by payloads of the format patch or merge.
func ExampleDocument_Apply() {
	var held receiver.Document // kept with the object
	apply := func(ctx context.Context, e *receiver.Event) error {
		if _, err := held.Apply(e.Body); err != nil { // ErrBase, ErrPatch: something is missing
			show, err := readFromAPI(ctx, e.Object)
			if err != nil {
				return err
			}
			held.Replace(receiver.StateOf(e.Body), show)
		}
		return nil
	}
	_ = apply
}

func book(context.Context, string, string, []byte) error  { return nil }
func readFromAPI(context.Context, string) ([]byte, error) { return nil, nil }
func openDatabase() *sql.DB                               { return nil }
