import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import javax.net.ssl.SSLSocketFactory;

/** One login per protocol, byte by byte, so that the broker has loaded what it takes. Arguments: user, password. */
final class Login {
    public static void main(String[] arguments) throws Exception {
        String user = arguments[0], password = arguments[1];
        String connect = "CONNECT\naccept-version:1.2\nhost:localhost\nlogin:" + user + "\npasscode:" + password + "\n\n\0";
        String send = "SEND\ndestination:/queue/training\npersistent:true\nreceipt:1\n\ntraining\0";
        speak(61614, ascii(connect), ascii(send));
        speak(8883, mqtt(user, password));
        byte[] plain = ascii("\0" + user + "\0" + password);
        speak(5671, new byte[] {'A', 'M', 'Q', 'P', 3, 1, 0, 0}, sasl(plain), new byte[] {'A', 'M', 'Q', 'P', 0, 1, 0, 0});
        speak(61619, upgrade("v12.stomp"), frame(1, ascii(connect)));
        speak(61619, upgrade("mqtt"), frame(2, mqtt(user, password)));
        String basic = Base64.getEncoder().encodeToString(ascii(user + ":" + password));
        String asked = " HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\nAuthorization: Basic " + basic + "\r\nConnection: close\r\n\r\n";
        speak(8162, ascii("GET /api/jolokia/version" + asked));
        speak(8162, ascii("GET /admin/index.jsp" + asked));
    }

    private static void speak(int port, byte[]... words) throws Exception {
        byte[] answer = new byte[4096];
        try (Socket socket = SSLSocketFactory.getDefault().createSocket("localhost", port)) {
            socket.setSoTimeout(60_000);
            InputStream in = socket.getInputStream();
            for (byte[] word : words) {
                socket.getOutputStream().write(word);
                if (in.read(answer) < 0) {
                    throw new IllegalStateException("no answer on port " + port);
                }
            }
        }
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private static byte[] mqtt(String user, String password) {
        String rest = "\0\4MQTT\4\u00c2\0\36" + "\0\1t" + "\0" + (char) user.length() + user + "\0" + (char) password.length() + password;
        return ((char) 0x10 + "" + (char) rest.length() + rest).getBytes(StandardCharsets.ISO_8859_1);
    }

    private static byte[] sasl(byte[] plain) {
        String head = "\2\1\0\0" + "\0\123\101" + "\300" + (char) (plain.length + 10) + "\2" + "\243\5PLAIN" + "\240" + (char) plain.length;
        String body = head + new String(plain, StandardCharsets.ISO_8859_1);
        int size = body.length() + 4;
        return ("\0\0\0" + (char) size + body).getBytes(StandardCharsets.ISO_8859_1);
    }

    private static byte[] upgrade(String protocol) {
        return ascii("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dHJhaW5pbmd0cmFpbmluZw==\r\nSec-WebSocket-Protocol: " + protocol + "\r\n\r\n");
    }

    /** A client's frame, "masked" with zeros. */
    private static byte[] frame(int kind, byte[] payload) {
        byte[] frame = new byte[6 + payload.length];
        frame[0] = (byte) (0x80 | kind);
        frame[1] = (byte) (0x80 | payload.length); // under 126
        System.arraycopy(payload, 0, frame, 6, payload.length);
        return frame;
    }
}
