// The server: requests with the key, WebSockets, and its errors as sentences.

const key = () => document.getElementById("key").value.trim();

const headers = () => (key() ? { authorization: `Bearer ${key()}` } : {});

export async function request(path, options = {}) {
  const answer = await fetch(path, {
    ...options,
    headers: { ...headers(), ...options.headers },
  });
  if (answer.ok) return answer;
  let message = `${answer.status} ${answer.statusText}`;
  try {
    message = (await answer.json()).error.message;
  } catch {
    // not one of our errors: the status says it
  }
  throw new Error(message);
}

// `hear` is given every message: objects, and ArrayBuffers.
export function open(path, hear) {
  const address = new URL(path, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const protocols = key() ? ["realtime", `openai-insecure-api-key.${key()}`] : [];
  const socket = new WebSocket(address, protocols);
  socket.binaryType = "arraybuffer";
  const closed = new Promise((done, fail) => {
    let error;
    socket.onmessage = ({ data }) => {
      const message = typeof data === "string" ? JSON.parse(data) : data;
      if (message.type === "error") error = new Error(message.error.message);
      else hear(message);
    };
    socket.onclose = (event) => {
      if (!error && event.code !== 1000 && event.code !== 1005) {
        error = new Error("the server closed the connection; is the key right?");
      }
      return error ? fail(error) : done();
    };
  });
  const opened = new Promise((done, fail) => {
    socket.onopen = done;
    closed.catch(fail);
  });
  return {
    opened,
    closed,
    send: (message) =>
      socket.readyState === WebSocket.OPEN &&
      socket.send(message instanceof ArrayBuffer ? message : JSON.stringify(message)),
    close: () => socket.close(1000),
  };
}
