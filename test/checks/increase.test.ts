// How `npm run verify` follows counters whose pods come and go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followCounter, type Increase } from '../../scripts/checks/verify/traffic.ts';

/** The increase after the last of these looks; each has the value of a pod, by its name. */
function after(...looks: Record<string, number>[]): Increase {
  const follow = followCounter();
  const found = looks.map((pods) =>
    follow(Object.entries(pods).map(([pod, value]) => ({ metric: { pod }, value: [0, String(value)] }))),
  );
  return found.at(-1) ?? assert.fail();
}

const cases: [what: string, looks: Record<string, number>[], expected: Increase][] = [
  ['the first look is the baseline', [{ a: 5 }], { total: 0, vanished: false, begun: false }],
  [
    'series rise side by side',
    [
      { a: 5, b: 7 },
      { a: 8, b: 9 },
    ],
    { total: 5, vanished: false, begun: false },
  ],
  ['a new series counts from 0', [{ a: 5 }, { a: 5, b: 3 }], { total: 3, vanished: false, begun: true }],
  [
    'a series that goes takes nothing away of what was seen',
    [{ old: 500 }, { old: 504 }, { new: 6 }],
    { total: 10, vanished: true, begun: true },
  ],
  [
    'a series that falls has begun again at 0',
    [{ a: 500 }, { a: 3 }, { a: 4 }],
    { total: 4, vanished: false, begun: false },
  ],
  ['one that comes back goes on', [{ a: 500 }, {}, { a: 502 }], { total: 2, vanished: false, begun: false }],
  [
    'one that comes back after a restart counts from 0',
    [{ a: 500 }, {}, { a: 2 }],
    { total: 2, vanished: false, begun: false },
  ],
  ['a counter that was at 0 begins', [{ a: 0 }, { a: 10 }], { total: 10, vanished: false, begun: true }],
  ['a counter that was not there begins', [{}, { a: 10 }], { total: 10, vanished: false, begun: true }],
];
for (const [what, looks, expected] of cases) test(what, () => assert.deepEqual(after(...looks), expected));

test('labels tell series apart, in whichever order they come', () => {
  const follow = followCounter();
  follow([{ metric: { pod: 'a', status: '200' }, value: [0, '5'] }]);
  assert.equal(follow([{ metric: { status: '200', pod: 'a' }, value: [0, '6'] }]).total, 1);
  assert.equal(follow([{ metric: { status: '500', pod: 'a' }, value: [0, '6'] }]).total, 7);
});
