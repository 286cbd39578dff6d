/** The rules of the delivery protocol, each with a switch: what the model can leave out to show why it is there. */

/** What each rule says. The number is its row in docs/delivery.md's list of histories, where it has one. */
export const RULES = {
  truthNotRedelivered: '1: the truth of a key is its newest event that is not redelivered',
  redeliveryByTwin:
    '2: redelivered is judged by position and a twin in changes, not by the position of the row that stands',
  watermarkRestored: '3: W is restored from changes at assignment',
  nullCommitLsn: '4: while the commit LSN of W is null, the LSN alone is compared',
  lateWithoutTwin: '4: not beyond W but without a twin is a new event',
  deadline: '5: an insert that starts later than its deadline is refused',
  waitAfterHand: '5: after the commit of another hand every insert under way is let die',
  startBelowHighest: "6: after another hand's commit the start is at most H + 1 - M",
  targetInIdleCommit: '7: every commit names its target, idle ones too',
  uuidsChecked: '8: every insert checks the UUIDs of changes and of its table',
  lookFirst: '9: everything is looked up before the announce',
  repeatWithinDeadline: '10: an insert without an answer is repeated only within its deadline',
  wideWindow: '10: the window of tokens is wider than the inserts of that time',
  seenLookedUp: '11: a block that was seen before looks up what changes lacks',
  truncateBelow: '12: TRUNCATE removes only what is below it',
  truncateOnePartition: '13: TRUNCATE is carried out only where the topic has one partition',
  truthsOffset: '14: a reconciled row stores the offset of its truth',
  withheldFromEvents: '15: a withheld value comes from the newest older event that has it',
  oneRunOfReads: '16: r is appended only while changes holds one run of r',
  retentionChecked: '17: retention is checked against the offset needed next',
  redoBurnsToken: 'a redo writes the rows of its keys again even where they are right, so that its token is burned',
  redoInsertInWait: 'a wait outlasts the longest insert there is, that of a redo',
  newestCarrier: 'a withheld value is not taken from the block while a newer event in changes has it',
  idleBehindWrites: 'an idle commit acknowledges nothing that waits to be written',
  settlingWaits: 'who finds that rows were written beside the blocks waits until none of them can land any more',
  firstNotForgotten: "assumed: a group's offsets are not deleted within the wait after the very first announce",
  aheadLooksAtNothing: 'a block that is prepared while the one before it is written looks at nothing in ClickHouse',
  lookAgain: 'where a token was sent twice it is looked again, and what is missing is written under another token',
  foldedOnInsert: 'rows of a block that take each other away are folded before they are written',
  handWithoutHighest: "after another hand's commit, with nothing in changes, records that expired stop the service",
} as const;

export type Rule = keyof typeof RULES;
export type Rules = Readonly<Record<Rule, boolean>>;

const ALL = Object.fromEntries(Object.keys(RULES).map((rule) => [rule, true])) as Record<Rule, boolean>;

/** Every rule but those named. */
export function rulesWithout(...off: readonly Rule[]): Rules {
  const rules = { ...ALL };
  for (const rule of off) rules[rule] = false;
  return rules;
}
