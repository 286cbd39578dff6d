import { shareAnswers, TooBusy } from '../../../src/http/shared-answers';

function shared() {
  const clock = { now: 0 };
  const answers = shareAnswers({ freshMs: 1_000, mostKept: 3, mostUnderWay: 2, now: () => clock.now });
  return { clock, answers };
}

test('hundreds who ask the same within a second cost one question', async () => {
  const { clock, answers } = shared();
  const ask = jest.fn(() => Promise.resolve('answer'));
  const all = await Promise.all(Array.from({ length: 300 }, () => answers.get('a', ask)));
  expect(new Set(all)).toEqual(new Set(['answer']));
  expect(ask).toHaveBeenCalledTimes(1);
  clock.now = 999;
  await answers.get('a', ask);
  expect(ask).toHaveBeenCalledTimes(1);
  clock.now = 1_000;
  await answers.get('a', ask);
  expect(answers.asked()).toBe(2);
});

test('a failure is told to all who waited, and not kept', async () => {
  const { answers } = shared();
  const fail = (): Promise<string> => Promise.reject(new Error('away'));
  const both = await Promise.allSettled([answers.get('a', fail), answers.get('a', fail)]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(answers.asked()).toBe(1);
  await expect(answers.get('a', () => Promise.resolve('back'))).resolves.toBe('back');
});

test('too many different questions at once are refused, until one is answered', async () => {
  const { answers } = shared();
  const open = Promise.withResolvers<string>();
  const first = answers.get('a', () => open.promise);
  const second = answers.get('b', () => open.promise);
  await expect(answers.get('c', () => Promise.resolve('c'))).rejects.toBeInstanceOf(TooBusy);
  await expect(
    Promise.race([answers.get('a', () => Promise.resolve('other')), Promise.resolve('under way')]),
  ).resolves.toBe('under way');
  open.resolve('done');
  expect(await Promise.all([first, second])).toEqual(['done', 'done']);
  await expect(answers.get('c', () => Promise.resolve('c'))).resolves.toBe('c');
});

test('old answers are forgotten when many are asked for', async () => {
  const { answers } = shared();
  for (const question of ['a', 'b', 'c', 'd']) await answers.get(question, () => Promise.resolve(question));
  await answers.get('a', () => Promise.resolve('a again'));
  expect(answers.asked()).toBe(5);
  await answers.get('d', () => Promise.resolve('d again'));
  expect(answers.asked()).toBe(5);
});
