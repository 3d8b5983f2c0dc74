import { strict as assert } from 'node:assert';
import { soleElement } from '../../../ca/der/read.ts';
import { parseTime } from '../../../ca/der/time.ts';
import { element, time } from '../../../ca/der/write.ts';

const parse = (tag: number, text: string) => parseTime(soleElement(element(tag, Buffer.from(text, 'latin1'))));

describe('ca/der: times', () => {
  it('come back as they were written', () => {
    for (const text of [
      '1950-01-01T00:00:00Z',
      '2026-11-21T09:11:25Z',
      '2049-12-31T23:59:59Z',
      '2050-01-01T00:00:00Z',
      '9999-12-31T23:59:59Z',
    ])
      assert.equal(parseTime(soleElement(time(new Date(text)))), Date.parse(text));
    assert.equal(parse(0x17, '490101000000Z'), Date.UTC(2049, 0, 1));
    assert.equal(parse(0x17, '500101000000Z'), Date.UTC(1950, 0, 1));
  });

  it('are nothing in any other form', () => {
    for (const wrong of [
      '2611210911\u00015Z',
      '261121091125',
      '2611210911Z',
      '261121091125+0100',
      '261321091125Z',
      '260230091125Z',
      '261121246060Z',
      '',
    ])
      assert.equal(parse(0x17, wrong), undefined, wrong);
    for (const wrong of ['20261121091125.5Z', '261121091125Z', '20260230091125Z', '00261121091125'])
      assert.equal(parse(0x18, wrong), undefined, wrong);
    assert.equal(parse(0x16, '261121091125Z'), undefined);
    assert.equal(parseTime(undefined), undefined);
  });
});
