import { describe, expect, it } from 'vitest';
import { reasons, waterfall } from './losses';

const NONE = { productive_s: 0, reduced_speed_s: 0, minor_stop_s: 0, startup_reject_s: 0, production_reject_s: 0, undivided_s: 0, breakdown_s: 0, setup_s: 0, planned_stop_s: 0, unknown_s: 0 };

describe('waterfall', () => {
  it('takes every loss from what is left, down to the good parts', () => {
    const steps = waterfall({ ...NONE, planned_stop_s: 10, breakdown_s: 20, startup_reject_s: 1, production_reject_s: 4, productive_s: 65 });
    expect(steps.map(({ id, seconds, fromShare }) => [id, seconds, fromShare])).toEqual([
      ['planned_stop', 10, 0.9], ['breakdown', 20, 0.7], ['reject', 5, 0.65], ['productive', 65, 0],
    ]);
    expect(steps.map((step) => step.factor)).toEqual([null, 'availability', 'quality', null]);
  });

  it('has no shares without time', () => {
    expect(waterfall(NONE)).toEqual([{ id: 'productive', factor: null, seconds: 0, share: 0, fromShare: 0 }]);
  });
});

describe('reasons', () => {
  it('adds up over machines', () => {
    const machines = [{ reasons: [{ reason: 'idle', stops: 2, seconds: 30 }, { reason: 'fault', stops: 1, seconds: 50 }] }, { reasons: [{ reason: 'idle', stops: 1, seconds: 40 }] }];
    expect(reasons(machines)).toEqual([{ reason: 'idle', stops: 3, seconds: 70 }, { reason: 'fault', stops: 1, seconds: 50 }]);
  });
});
