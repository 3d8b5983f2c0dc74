import { strict as assert } from 'node:assert';
import { headerDecoder } from '../../../../../ca/service/http2/hpack/decoder.ts';
import { readInteger } from '../../../../../ca/service/http2/hpack/integer.ts';

const FIRST_DYNAMIC = 62;

const bytes = (hex: string) => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
/** "name: value" for each field; a name may begin with a colon. */
const lines = (fields: readonly { name: string; value: string }[]) => fields.map(({ name, value }) => `${name}: ${value}`);

interface Step {
  readonly hex: string;
  readonly fields: readonly string[];
  /** The dynamic table after it, newest first. */
  readonly table: readonly string[];
}

function check(steps: readonly Step[], tableBytes: number): void {
  const after = (count: number) => {
    const decoder = headerDecoder({ tableBytes });
    for (const { hex, fields } of steps.slice(0, count)) {
      const decoded = decoder.decode(bytes(hex));
      assert.ok(decoded.ok);
      assert.deepEqual(lines(decoded.fields), fields);
    }
    return decoder;
  };
  for (const [index, { table }] of steps.entries()) {
    const all = after(index + 1).decode(Buffer.from(table.map((_, place) => 0x80 + FIRST_DYNAMIC + place)));
    assert.ok(all.ok);
    assert.deepEqual(lines(all.fields), table);
    assert.equal(after(index + 1).decode(Buffer.of(0x80 + FIRST_DYNAMIC + table.length)).ok, false, 'no more than that');
  }
}

const [DATE_21, DATE_22] = ['date: Mon, 21 Oct 2013 20:13:21 GMT', 'date: Mon, 21 Oct 2013 20:13:22 GMT'];
const LOCATION = 'location: https://www.example.com';
const COOKIE = 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const AUTHORITY = ':authority: www.example.com';

const steps = (expected: readonly Omit<Step, 'hex'>[], hex: readonly string[]): Step[] =>
  expected.map((step, index) => ({ ...step, hex: hex[index] ?? '' }));

const REQUESTS = [
  { fields: [':method: GET', ':scheme: http', ':path: /', AUTHORITY], table: [AUTHORITY] },
  {
    fields: [':method: GET', ':scheme: http', ':path: /', AUTHORITY, 'cache-control: no-cache'],
    table: ['cache-control: no-cache', AUTHORITY],
  },
  {
    fields: [':method: GET', ':scheme: https', ':path: /index.html', AUTHORITY, 'custom-key: custom-value'],
    table: ['custom-key: custom-value', 'cache-control: no-cache', AUTHORITY],
  },
];

const RESPONSES = [
  {
    fields: [':status: 302', 'cache-control: private', DATE_21, LOCATION],
    table: [LOCATION, DATE_21, 'cache-control: private', ':status: 302'],
  },
  {
    fields: [':status: 307', 'cache-control: private', DATE_21, LOCATION],
    table: [':status: 307', LOCATION, DATE_21, 'cache-control: private'],
  },
  {
    fields: [':status: 200', 'cache-control: private', DATE_22, LOCATION, 'content-encoding: gzip', COOKIE],
    table: [COOKIE, 'content-encoding: gzip', DATE_22],
  },
];

describe('ca/service/http2/hpack: the examples of RFC 7541, Appendix C', () => {
  it('C.1: integers', () => {
    const read = (octets: number[], mask: number) => readInteger({ block: Buffer.from(octets), at: 0 }, mask);
    assert.equal(read([0b1110_1010], 0x1f), 10);
    assert.equal(read([0b1111_1111, 0b1001_1010, 0b0000_1010], 0x1f), 1337);
    assert.equal(read([0b0010_1010], 0xff), 42);
  });

  it('C.2: one field of each kind', () => {
    check(
      [
        {
          hex: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
          fields: ['custom-key: custom-header'],
          table: ['custom-key: custom-header'],
        },
      ],
      4096,
    );
    check([{ hex: '040c 2f73 616d 706c 652f 7061 7468', fields: [':path: /sample/path'], table: [] }], 4096);
    check([{ hex: '1008 7061 7373 776f 7264 0673 6563 7265 74', fields: ['password: secret'], table: [] }], 4096);
    check([{ hex: '82', fields: [':method: GET'], table: [] }], 4096);
  });

  it('C.3: requests without Huffman coding', () => {
    const hex = [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ];
    check(steps(REQUESTS, hex), 4096);
  });

  it('C.4: requests with Huffman coding', () => {
    const hex = [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ];
    check(steps(REQUESTS, hex), 4096);
  });

  it('C.5: responses without Huffman coding, in a table of 256 octets', () => {
    const hex = [
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
       2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      '4803 3330 37c1 c0bf',
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
       54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
       5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
    ];
    check(steps(RESPONSES, hex), 256);
  });

  it('C.6: responses with Huffman coding, in a table of 256 octets', () => {
    const hex = [
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
       2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      '4883 640e ffc1 c0bf',
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
       77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
       9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    ];
    check(steps(RESPONSES, hex), 256);
  });
});
