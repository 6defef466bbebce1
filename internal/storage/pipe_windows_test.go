package storage_test

import "errors"

func makePipe(string) error { return errors.New("there are no named pipes in directories here") }
