/** The relay within one process: the leader's own agents. */
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { Sessions } from '../publish/sessions.ts';
import { relayContract } from '../testing/relay-suite.ts';
import { type Desk, Switchboard } from './switchboard.ts';

relayContract('within the leader', async (desk) => {
  const sessions = new Sessions(new FakeClock());
  const lead = (by: Desk) => {
    const switchboard = new Switchboard(by, silentLog);
    sessions.follow(switchboard.attach(sessions));
    return switchboard;
  };
  return { sessions, switchboard: lead(desk), succeed: async (next) => lead(next), stop: async () => {} };
});
