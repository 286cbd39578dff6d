/** Ends the session of a group's member at once, as the broker does when its heartbeats stay away: a test need not wait for that. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Admin } from 'kafkajs';

/** LeaveGroup of the Kafka protocol; from version 3 on anybody may send it for several members. */
const LEAVE_GROUP = 13;
const VERSION = 3;

export interface MemberOf {
  readonly brokers: string;
  readonly groupId: string;
  /** KAFKA_CLIENT_ID of the process; it is to be its alone. */
  readonly clientId: string;
}

/** Does nothing where no such member is in the group. */
export async function endSession({ brokers, groupId, clientId }: MemberOf, admin: Admin): Promise<void> {
  const [group] = (await admin.describeGroups([groupId])).groups;
  const members = (group?.members ?? []).filter((member) => member.clientId === clientId);
  if (members.length === 0) return;
  const answer = await exchange(brokers, [
    ...[int16(LEAVE_GROUP), int16(VERSION), int32(1), text('tests')],
    ...[text(groupId), int32(members.length)],
    ...members.flatMap(({ memberId }) => [text(memberId), int16(-1)]),
  ]);
  // Length, correlation id, throttle time, then the code.
  const code = answer.readInt16BE(12);
  if (code !== 0) throw new Error(`LeaveGroup of ${clientId} in ${groupId}: error code ${code}`);
}

/** The parts have one broker, so it is the group's coordinator. */
async function exchange(brokers: string, body: readonly Buffer[]): Promise<Buffer> {
  const { hostname, port } = new URL(`kafka://${brokers.split(',')[0] ?? ''}`);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.setTimeout(10_000, () => socket.destroy(new Error('the broker does not answer')));
  try {
    const request = Buffer.concat(body);
    socket.write(Buffer.concat([int32(request.length), request]));
    let answer = Buffer.alloc(0);
    while (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      answer = Buffer.concat([answer, chunk]);
    }
    return answer;
  } finally {
    socket.destroy();
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([int16(bytes.length), bytes]);
}
