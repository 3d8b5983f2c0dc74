import assert from 'node:assert/strict';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { StreamAccessLogsMessageSchema } from '#gen/envoy/service/accesslog/v3/als_pb.js';
import { entryCount } from '../../sds/access-log/entry-count.ts';

const encoded = (init: MessageInitShape<typeof StreamAccessLogsMessageSchema>): Uint8Array =>
  toBinary(StreamAccessLogsMessageSchema, create(StreamAccessLogsMessageSchema, init));
const request = { request: { path: `/${'a'.repeat(300)}` }, commonProperties: { sampleRate: 1, startTime: { seconds: -1n } } };
const http = encoded({
  identifier: { node: { id: 'web' }, logName: 'inbound' },
  logEntries: { case: 'httpLogs', value: { logEntry: [request, {}, request] } },
});

describe('sds: records in a message of an access log', () => {
  it('are counted, of HTTP and of TCP', () => {
    assert.equal(entryCount(http), 3);
    const logEntry = [{}, { connectionProperties: { sentBytes: 5n } }];
    assert.equal(entryCount(encoded({ logEntries: { case: 'tcpLogs', value: { logEntry } } })), 2);
    assert.equal(entryCount(encoded({ identifier: { logName: 'inbound' } })), 0);
  });

  it('are none where the bytes are no message', () => {
    for (const bytes of [http.subarray(0, -1), [0x12, 0x05, 0x0a], Array<number>(11).fill(0xff), [0x0b], [0x0d, 1, 2]])
      assert.equal(entryCount(Uint8Array.from(bytes)), 0);
  });
});
