// SPDX-License-Identifier: Apache-2.0

// Package schedule decides which bounds planned windows ask for at an instant. It is a pure function of (schedules,
// observations, now): a restart, a change of leader or a missed minute changes nothing, and what is shown for tomorrow
// is what will be decided tomorrow. README.md says what schedules mean to their authors.
//
// Compile checks a Spec. Evaluate decides for one target, which all its schedules together have; an Evaluator gives
// the same answers faster. Preview and Transitions look ahead. Lint looks for contradictions. The result is a list of
// Active windows with what each asks for, and who won; what is written to an HPA is decided in policy/bounds.
//
// Inside, wall time is counted as if it were UTC, where no time is missing or double: cron expressions and
// recurrence rules are worked out there. Only then does clock.resolve give each wall time its instant, the first at
// which the zone's clock reads that time or later.
package schedule
