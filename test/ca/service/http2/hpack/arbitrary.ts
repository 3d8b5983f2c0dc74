import * as fc from 'fast-check';
import { type OutgoingHttpHeaders, sensitiveHeaders } from 'node:http2';

/** The settings under which a client encodes: what our SETTINGS_HEADER_TABLE_SIZE says. */
export const generatedTableBytes = fc.constantFrom(0, 64, 256, 1000, 4096, 16_384);

const characters = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String.fromCharCode(from + index));
const VISIBLE = [...characters(0x21, 0x7e), ...characters(0x80, 0xff)];

const short = fc.constantFrom('', 'a', 'application/grpc', 'trailers', 'gzip, deflate', 'https://www.example.com', '0');
/** Any visible octets, in so many short codes that Huffman coding is worth it whatever they are. */
const coded = fc
  .string({ unit: fc.constantFrom(...VISIBLE), minLength: 1, maxLength: 4 })
  .map((rare) => 'e'.repeat(80) + rare + 'a');
const raw = fc.string({ unit: fc.constantFrom(...VISIBLE), maxLength: 60 });
const token = fc.string({
  unit: fc.constantFrom(...characters(0x30, 0x39), ...characters(0x41, 0x5a), ...characters(0x61, 0x7a), '-', '_', '.'),
  minLength: 300,
  maxLength: 900,
});
const value = fc.oneof({ weight: 4, arbitrary: short }, coded, raw, token);

const NAMES = [
  'accept',
  'cookie',
  'content-type',
  'user-agent',
  'grpc-timeout',
  'x-request-id',
  'x-b3-traceid',
  'authorization',
  'via',
];
const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
  fc
    .string({ unit: fc.constantFrom(...Array.from('abcxyz0189-_!#$%&*+.^`|~')), minLength: 1, maxLength: 12 })
    .map((text) => `x-${text}`),
);

/** A request as it is given to node:http2. Many of its fields come again in others of the same connection. */
const generatedRequest: fc.Arbitrary<OutgoingHttpHeaders> = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT'),
    path: fc.constantFrom('/', '/index.html', '/istio.v1.auth.IstioCertificateService/CreateCertificate'),
    authority: fc.constantFrom('ca', 'www.example.com', 'istiod.istio-system.svc:15012'),
    scheme: fc.constantFrom('http', 'https'),
    more: fc.dictionary(name, value, { maxKeys: 10, noNullPrototype: true }),
    many: fc.array(value, { maxLength: 3 }),
    secret: fc.boolean(),
  })
  .map(({ method, path, authority, scheme, more, many, secret }) => ({
    ':method': method,
    ':path': path,
    ':authority': authority,
    ':scheme': scheme,
    ...more,
    ...(many.length > 0 ? { 'x-many': many } : {}),
    ...(secret ? { 'x-secret': 'secret', [sensitiveHeaders]: ['x-secret'] } : {}),
  }));

export const generatedRequests = fc.array(generatedRequest, { minLength: 1, maxLength: 8 });
