// SPDX-License-Identifier: Apache-2.0

package source

// null takes a null if the next value is one.
func (s *scanner) null() (bool, error) {
	c, err := s.peek()
	if err != nil || c != 'n' {
		return false, err
	}
	return true, s.literal("null")
}

// skip takes a value of any type and checks its grammar.
func (s *scanner) skip(depth int) error {
	c, err := s.peek()
	switch {
	case err != nil:
		return err
	case depth > maxDepth:
		return s.malformed("nested too deeply")
	}
	switch c {
	case '"':
		_, err := s.str()
		return err
	case '{', '[':
		return s.skipNested(c, depth)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) skipNested(open byte, depth int) error {
	s.pos++
	for first := true; ; first = false {
		ok, err := s.more(first, open+2) // in ASCII each closing bracket is two after its opening one
		if err != nil || !ok {
			return err
		}
		if open == '{' {
			if _, err := s.key(); err != nil {
				return err
			}
		}
		if err := s.skip(depth + 1); err != nil {
			return err
		}
	}
}

func (s *scanner) literal(word string) error {
	got, err := s.ahead(len(word))
	if err != nil {
		return err
	}
	if string(got) != word {
		return s.malformed("a word that JSON does not have")
	}
	s.pos += len(word)
	return nil
}

// number takes a number by JSON's grammar.
func (s *scanner) number() error {
	if err := s.optional('-'); err != nil {
		return err
	}
	c, err := s.next()
	if err != nil {
		return err
	}
	if c == '0' {
		s.pos++
	} else if err := s.digits(); err != nil {
		return err
	}
	if c, err = s.next(); err == nil && c == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	c, err = s.next()
	if err != nil || (c != 'e' && c != 'E') {
		return nil //nolint:nilerr // an error is met again by whoever reads on
	}
	s.pos++
	if c, err = s.next(); err == nil && (c == '+' || c == '-') {
		s.pos++
	}
	return s.digits()
}

// next returns the next byte, white space too, without taking it.
func (s *scanner) next() (byte, error) {
	if s.pos == s.end {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	return s.buf[s.pos], nil
}

func (s *scanner) optional(c byte) error {
	got, err := s.next()
	if err == nil && got == c {
		s.pos++
	}
	return err
}

// digits takes one digit or more.
func (s *scanner) digits() error {
	for n := 0; ; n++ {
		c, err := s.next()
		switch {
		case err == nil && c >= '0' && c <= '9':
			s.pos++
		case n == 0 && err == nil:
			return s.malformed("a value or digit was expected")
		case n == 0:
			return err
		default:
			return nil // an error is met again by whoever reads on
		}
	}
}
