/** One session of the service's WebSocket: samples go out as they are captured and come back enhanced. */
import { words } from "./language.js";
import { ServiceError, ticket } from "./service.js";

const DONE = 1000; // close code of a session that ended as asked

export class Session {
  /**
   * A session of one channel of 32-bit floats, once the service is ready for it.
   * @param {{rate: number, model: string}} wanted samples per second, and the name of the model
   * @param {{audio: (block: Float32Array) => void, dropped: ({samples: number, at_sample: number}) => void, lost: (error: Error) => void}} on
   *   what comes back, where nothing comes back, and an end that was not asked for
   */
  static async open(wanted, on) {
    const address = new URL("/v1/stream", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const own = await ticket();
    if (own) address.searchParams.set("ticket", own);
    const session = new Session(new WebSocket(address), on);
    await session.opened;
    session.tell({ type: "start", task: "enhance", channels: 1, format: "f32le", mode: "live", ...wanted });
    session.ready = await session.answer("ready");
    session.keepAlive(session.ready.limits.idle_s);
    return session;
  }

  constructor(socket, on) {
    this.socket = socket;
    this.waiting = new Map(); // type of an awaited message -> what to do with it
    socket.binaryType = "arraybuffer";
    this.opened = this.answer("open");
    socket.onopen = () => this.settle("open");
    this.closed = new Promise((done) => {
      socket.onclose = (event) => {
        const closed = words("closed", { code: event.code, reason: event.reason });
        this.error ??= new ServiceError(this.waiting.has("open") ? words("unreachable") : closed);
        for (const { failed } of this.waiting.values()) failed(this.error);
        this.waiting.clear();
        if (event.code !== DONE && this.ready) on.lost(this.error);
        done();
      };
    });
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return on.audio(new Float32Array(data));
      const message = JSON.parse(data);
      if (message.type === "error") this.error = new ServiceError(message.message);
      if (message.type === "dropped") on.dropped(message);
      this.settle(message.type, message);
    };
  }

  get over() {
    return this.socket.readyState !== WebSocket.OPEN;
  }

  tell(message) {
    this.socket.send(JSON.stringify(message));
  }

  /** The message of a type, once it comes. */
  answer(type) {
    return new Promise((done, failed) => this.waiting.set(type, { done, failed }));
  }

  settle(type, message) {
    this.waiting.get(type)?.done(message);
    this.waiting.delete(type);
  }

  /** Say in time that the session is still wanted: a muted or held microphone sends nothing. */
  keepAlive(idle_s) {
    const timer = setInterval(() => !this.over && this.tell({ type: "keepalive" }), (1000 * idle_s) / 3);
    this.closed.then(() => clearInterval(timer));
  }

  /** @param {Float32Array} block any number of samples */
  send(block) {
    if (!this.over) this.socket.send(block);
  }

  /** End the session: its tail arrives as audio, then this resolves to the counts of the service. */
  async stop() {
    if (this.over) throw this.error;
    const stopped = this.answer("stopped");
    this.tell({ type: "stop" });
    const statistics = await stopped;
    await this.closed;
    return statistics;
  }
}
