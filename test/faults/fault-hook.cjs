/**
 * Loaded into the service before its own code (NODE_OPTIONS=--require). It wraps two doors of the compiled service, the
 * guarded insert and the commit, and at the n-th passage of a named point kills, freezes or fails the process there.
 *
 * FAULT is `point:n:deed`; FAULT_FILE gets a line of JSON for the fault and for each commit that was refused.
 * Points: `before-announce`, `after-announce`, `before-acknowledge` (a commit without a block), `before-next-announce`,
 * `before-changes`, `after-changes`, `before-mirror`, `after-mirror`. Deeds: `kill`, `freeze` (SIGSTOP), `lose` (only
 * `after-…`: it was done, and its answer did not arrive).
 */
'use strict';
const { appendFileSync } = require('node:fs');
const Module = require('node:module');
const { dirname, join } = require('node:path');

const [point, nth, deed] = (process.env.FAULT ?? '').split(':');
const file = process.env.FAULT_FILE;
let passed = 0;
let announces = 0;
let frozen = false;

function say(what) {
  appendFileSync(file, `${JSON.stringify({ pid: process.pid, ...what })}\n`);
}

/** True when an answer is to be lost here. */
function at(here, where) {
  if (here !== point || ++passed !== Number(nth)) return false;
  say({ point, deed, ...where });
  if (deed === 'lose') return true;
  frozen = deed === 'freeze';
  process.kill(process.pid, deed === 'freeze' ? 'SIGSTOP' : 'SIGKILL');
  // The signal is delivered before this ends: nothing more of the process runs until then.
  const until = Date.now() + 50;
  while (Date.now() < until);
  return false;
}

function wrapInsert(exported) {
  const { guardedInsert } = exported;
  exported.guardedInsert = async (clickhouse, insert, guard, seconds) => {
    const kind = insert.table.name === 'changes' ? 'changes' : 'mirror';
    const where = { table: insert.table.name, token: insert.token };
    at(`before-${kind}`, where);
    try {
      await guardedInsert(clickhouse, insert, guard, seconds);
      if (frozen) say({ inserted: insert.token });
    } catch (error) {
      if (error.code === 'GUARD_REFUSED') say({ refused: insert.token });
      throw error;
    }
    if (at(`after-${kind}`, where)) throw lost('CLICKHOUSE_UNREACHABLE');
  };
}

function lost(code) {
  const { ServiceError } = require(errorsFile);
  return new ServiceError(code, 'The answer was lost, by a test.', { hint: 'It is a test.' });
}

function wrapLog(exported) {
  const { openLog } = exported;
  exported.openLog = (...args) => {
    const log = openLog(...args);
    const { commit } = log;
    log.commit = async (epoch, request) => {
      const { offset, topic, metadata } = request;
      // Heartbeats and transaction topics are acknowledged all the time; the tests are about tables.
      if (!topic.includes('.public.')) return commit(epoch, request);
      const { end } = JSON.parse(metadata);
      const where = { topic, offset, end };
      if (end === undefined) at('before-acknowledge', where);
      else {
        at('before-announce', where);
        if (announces++ > 0) at('before-next-announce', where);
      }
      const outcome = await commit(epoch, request);
      if (outcome === 'fenced') say({ fenced: offset, topic });
      if (end !== undefined && at('after-announce', where)) throw lost('KAFKA_REQUEST_FAILED');
      return outcome;
    };
    return log;
  };
}

let errorsFile = '';
const wrappers = [
  [/\/src\/clickhouse\/insert\.js$/, wrapInsert],
  [/\/src\/kafka\/consumer\.js$/, wrapLog],
];
const done = new Set();
const load = Module.prototype.load;
Module.prototype.load = function loadWrapped(filename) {
  load.call(this, filename);
  for (const [pattern, wrap] of wrappers) {
    if (!pattern.test(filename) || done.has(filename)) continue;
    done.add(filename);
    errorsFile = join(dirname(filename), '..', 'errors.js');
    wrap(this.exports);
  }
};
