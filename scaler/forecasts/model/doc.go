// SPDX-License-Identifier: Apache-2.0

// Package model is the life of one ScaleForecast as arithmetic: a Model learns the points of a demand and says what is to
// be expected, Hold says what becomes of a floor when no values come, and Decide turns all that is seen into a Verdict.
// There is no clock, no client and no logger here: the same points and times give the same verdict, after a restart too.
package model
