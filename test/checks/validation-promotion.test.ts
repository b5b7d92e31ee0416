// That `npm run validate` promotes as the platform's CI does: its sed in JavaScript against the real one.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promoted } from '../../scripts/checks/validate/promotion.ts';
import { root, services } from '../support/helm.ts';
import { sed } from '../support/sed.ts';

const odd = [
  'image: {repository: a, tag: b}\n',
  '# the repository: of the tag: of\nmytag: 1 # tag: 2\ntag:\n',
  'tag: "a" \r\nrepository: b\r\nlast: tag: without a line end',
  'tag: ünï \u2028 x\n\n\n',
  'Tag: a\nTAG: b\nrepository : c\n',
];
const files = services.map((service) => readFileSync(join(root, 'helm', service, 'values.yaml'), 'utf8'));

for (const [index, text] of [...files, ...odd].entries()) {
  test(`as sed does: ${services[index] ?? JSON.stringify(text)}`, () => {
    for (const tag of ['a1b2c3d', '1234567', '12e4567', '$1$$', '~']) {
      assert.equal(promoted(text, 'ghcr.io/owner/x', tag), sed(text, 'ghcr.io/owner/x', tag));
    }
  });
}
