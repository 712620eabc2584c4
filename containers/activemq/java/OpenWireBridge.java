import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.HashMap;
import java.util.Map;
import javax.jms.BytesMessage;
import javax.jms.DeliveryMode;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.JMSSecurityException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.net.ssl.TrustManagerFactory;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQSession;
import org.apache.activemq.ActiveMQSslConnectionFactory;
import org.apache.activemq.transport.RequestTimedOutIOException;

/**
 * ActiveMQ's own Java client, spoken to over standard input and output by testbed/clients/openwire.py.
 *
 * Request: one byte, what to do; then its fields, each an int (a time, a number) or a length and that many bytes.
 * Answer: one byte, a length and that many bytes: 'O' done, 'M' a message (its number, then its body), '-' no message
 * in time, or a refusal and its reason: 'A' login or permission, 'T' not confirmed in time, 'E' anything else.
 */
public final class OpenWireBridge {
    private static final int CONNECT = 'C', PUBLISH = 'P', SUBSCRIBE = 'S', RECEIVE = 'R', ACKNOWLEDGE = 'A';

    private final DataInputStream in;
    private final DataOutputStream out;
    private final Map<Integer, Message> unacknowledged = new HashMap<>();
    private ActiveMQConnection connection;
    private Session session;
    private MessageProducer producer;
    private MessageConsumer consumer;
    private int received;

    private OpenWireBridge(DataInputStream in, DataOutputStream out) {
        this.in = in;
        this.out = out;
    }

    public static void main(String[] arguments) throws IOException {
        PrintStream stdout = System.out;
        System.setOut(System.err); // nothing else may write into the answers
        // As strict as the other protocols' clients: RSA keys of 2048 bits and up.
        String weak = Security.getProperty("jdk.certpath.disabledAlgorithms");
        Security.setProperty("jdk.certpath.disabledAlgorithms", weak.replace("RSA keySize < 1024", "RSA keySize < 2048"));
        OpenWireBridge bridge = new OpenWireBridge(
            new DataInputStream(new BufferedInputStream(System.in)), new DataOutputStream(new BufferedOutputStream(stdout)));
        try {
            while (true) {
                bridge.handle(bridge.in.readUnsignedByte());
            }
        } catch (EOFException end) {
            bridge.close();
        }
        System.exit(0); // the client's threads are not daemons
    }

    private void handle(int request) throws IOException {
        switch (request) {
            case CONNECT -> {
                String url = text(), username = text(), password = text();
                byte[] authorities = bytes();
                int timeout = in.readInt();
                answer(() -> connect(url, username, password, authorities, timeout));
            }
            case PUBLISH -> {
                String kind = text(), name = text();
                byte[] body = bytes();
                int timeout = in.readInt();
                answer(() -> publish(kind, name, body, timeout));
            }
            case SUBSCRIBE -> {
                String kind = text(), name = text();
                answer(() -> subscribe(kind, name));
            }
            case RECEIVE -> {
                int timeout = in.readInt();
                answer(() -> receive(timeout));
            }
            case ACKNOWLEDGE -> {
                int number = in.readInt();
                answer(() -> acknowledge(number));
            }
            default -> throw new IOException("unknown request " + request);
        }
    }

    private void connect(String url, String username, String password, byte[] authorities, int timeout) throws Exception {
        ActiveMQConnectionFactory factory;
        if (authorities.length > 0) {
            ActiveMQSslConnectionFactory secure = new ActiveMQSslConnectionFactory(url); // verifies the host name too
            secure.setKeyAndTrustManagers(null, trusting(authorities).getTrustManagers(), null);
            factory = secure;
        } else {
            factory = new ActiveMQConnectionFactory(url);
        }
        factory.setWatchTopicAdvisories(false);
        factory.setAlwaysSyncSend(true); // a send returns when the broker has stored the message
        factory.setSendAcksAsync(false); // and an acknowledgement when it has forgotten it
        factory.setConnectResponseTimeout(timeout);
        connection = (ActiveMQConnection) factory.createConnection(username, password);
        connection.start();
        session = connection.createSession(false, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        producer = session.createProducer(null);
        producer.setDeliveryMode(DeliveryMode.PERSISTENT);
        send('O', new byte[0]);
    }

    private static TrustManagerFactory trusting(byte[] pem) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(pem))) {
            store.setCertificateEntry("authority-" + store.size(), certificate);
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store);
        return trust;
    }

    private void publish(String kind, String name, byte[] body, int timeout) throws Exception {
        connection.setSendTimeout(timeout);
        BytesMessage message = session.createBytesMessage();
        message.writeBytes(body);
        producer.send(destination(kind, name), message);
        send('O', new byte[0]);
    }

    private void subscribe(String kind, String name) throws Exception {
        consumer = session.createConsumer(destination(kind, name));
        send('O', new byte[0]);
    }

    private void receive(int timeout) throws Exception {
        Message message = timeout > 0 ? consumer.receive(timeout) : consumer.receiveNoWait();
        if (message == null) {
            send('-', new byte[0]);
            return;
        }
        unacknowledged.put(++received, message);
        byte[] body = body(message);
        out.writeByte('M');
        out.writeInt(4 + body.length);
        out.writeInt(received);
        out.write(body);
        out.flush();
    }

    private void acknowledge(int number) throws Exception {
        Message message = unacknowledged.remove(number);
        if (message != null) {
            message.acknowledge();
        }
        send('O', new byte[0]);
    }

    private Destination destination(String kind, String name) throws JMSException {
        return kind.equals("topic") ? session.createTopic(name) : session.createQueue(name);
    }

    private static byte[] body(Message message) throws JMSException {
        if (message instanceof BytesMessage bytes) {
            byte[] body = new byte[(int) bytes.getBodyLength()];
            bytes.readBytes(body);
            return body;
        }
        if (message instanceof TextMessage text) {
            return String.valueOf(text.getText()).getBytes(StandardCharsets.UTF_8);
        }
        throw new JMSException("a message of a type that has no bytes: " + message.getClass().getSimpleName());
    }

    private interface Action {
        void run() throws Exception;
    }

    private void answer(Action action) throws IOException {
        try {
            action.run();
        } catch (Exception error) {
            send(refusal(error), reason(error).getBytes(StandardCharsets.UTF_8));
        }
    }

    private static char refusal(Throwable error) {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (cause instanceof JMSSecurityException || cause instanceof SecurityException) {
                return 'A';
            }
            if (cause instanceof RequestTimedOutIOException) {
                return 'T';
            }
        }
        return 'E';
    }

    private static String reason(Throwable error) {
        Throwable root = error;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        String kind = root.getClass().getSimpleName();
        return root.getMessage() == null ? kind : kind + ": " + root.getMessage();
    }

    private void send(char kind, byte[] payload) throws IOException {
        out.writeByte(kind);
        out.writeInt(payload.length);
        out.write(payload);
        out.flush();
    }

    private String text() throws IOException {
        return new String(bytes(), StandardCharsets.UTF_8);
    }

    private byte[] bytes() throws IOException {
        byte[] data = new byte[in.readInt()];
        in.readFully(data);
        return data;
    }

    private void close() {
        try {
            if (connection != null) {
                connection.close();
            }
        } catch (JMSException gone) {
            // the broker went first
        }
    }
}
