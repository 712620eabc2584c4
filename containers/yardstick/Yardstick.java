import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.jms.Connection;
import javax.jms.Session;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.util.ConsumerThread;
import org.apache.activemq.util.ProducerThread;

/**
 * The brokers' own load generators, told over standard input what to do, so that no password is on a command line.
 *
 * The first line is "perftest" or "activemq". For PerfTest every further line is one argument of its main method. For
 * ActiveMQ they are settings, name=value; its producer and consumer threads, those of `activemq producer` and `consumer`,
 * then run for a while, and what they did in the measuring is printed: sent, received and milliseconds.
 * An empty line ends the settings, and the authorities to trust follow, in PEM, up to the end of the input.
 */
public final class Yardstick {
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String tool = in.readLine();
        List<String> lines = new ArrayList<>();
        for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
            lines.add(line);
        }
        StringBuilder pem = new StringBuilder();
        for (String line = in.readLine(); line != null && !line.equals("."); line = in.readLine()) {
            pem.append(line).append('\n');
        }
        if (pem.length() > 0) {
            SSLContext.setDefault(trusting(pem.toString()));
        }
        if (tool.equals("perftest")) {
            Method perfTest = Class.forName("com.rabbitmq.perf.PerfTest").getMethod("main", String[].class);
            perfTest.invoke(null, (Object) lines.toArray(new String[0]));
        } else {
            activemq(lines);
        }
        System.exit(0);
    }

    private static void activemq(List<String> lines) throws Exception {
        Map<String, String> settings = new LinkedHashMap<>();
        for (String line : lines) {
            int at = line.indexOf('=');
            settings.put(line.substring(0, at), line.substring(at + 1));
        }
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(settings.get("url"));
        factory.setUserName(settings.get("user"));
        factory.setPassword(settings.get("password"));
        factory.setWatchTopicAdvisories(false);
        factory.setOptimizeAcknowledge(true); // many messages with one acknowledgement
        ActiveMQQueue queue = new ActiveMQQueue(settings.get("queue"));
        int transaction = Integer.parseInt(settings.get("transaction"));
        List<ProducerThread> producers = new ArrayList<>();
        List<ConsumerThread> consumers = new ArrayList<>();
        List<Connection> connections = new ArrayList<>();
        for (int number = Integer.parseInt(settings.get("consumers")); number > 0; number--) {
            ConsumerThread consumer = new ConsumerThread(session(factory, connections, false), queue);
            consumer.setMessageCount(Integer.MAX_VALUE);
            consumer.setBreakOnNull(false);
            consumers.add(consumer);
            consumer.start();
        }
        for (int number = Integer.parseInt(settings.get("producers")); number > 0; number--) {
            ProducerThread producer = new ProducerThread(session(factory, connections, transaction > 0), queue);
            producer.setRunIndefinitely(true);
            producer.setPersistent(true);
            producer.setMessageSize(Integer.parseInt(settings.get("size")));
            producer.setTransactionBatchSize(transaction);
            producers.add(producer);
            producer.start();
        }
        Thread.sleep(Long.parseLong(settings.get("warmup")));
        long sent = sent(producers), received = received(consumers), start = System.nanoTime();
        Thread.sleep(Long.parseLong(settings.get("duration")));
        System.out.println("measured " + (sent(producers) - sent) + " " + (received(consumers) - received) + " " + (System.nanoTime() - start) / 1000000);
        System.out.flush();
        producers.forEach(producer -> producer.setRunning(false));
        for (ProducerThread producer : producers) {
            producer.join(20000);
        }
        // A backlog that is left behind stays in the broker: after a few runs the next one's producers got nothing through.
        for (long before = -1, now = received(consumers); now > before; now = received(consumers)) {
            before = now;
            Thread.sleep(1000);
        }
        consumers.forEach(consumer -> consumer.setRunning(false));
        for (ConsumerThread consumer : consumers) {
            consumer.join(20000);
        }
        for (Connection connection : connections) {
            connection.close();
        }
        try (ActiveMQConnection last = (ActiveMQConnection) factory.createConnection()) {
            last.start();
            last.destroyDestination(queue);
        }
    }

    private static Session session(ActiveMQConnectionFactory factory, List<Connection> connections, boolean transacted) throws Exception {
        Connection connection = factory.createConnection();
        connections.add(connection);
        connection.start();
        return connection.createSession(transacted, transacted ? Session.SESSION_TRANSACTED : Session.AUTO_ACKNOWLEDGE);
    }

    private static long sent(List<ProducerThread> producers) {
        return producers.stream().mapToLong(ProducerThread::getSentCount).sum();
    }

    private static long received(List<ConsumerThread> consumers) {
        return consumers.stream().mapToLong(ConsumerThread::getReceived).sum();
    }

    private static SSLContext trusting(String pem) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        byte[] bytes = pem.getBytes(StandardCharsets.US_ASCII);
        for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(bytes))) {
            store.setCertificateEntry("authority-" + store.size(), certificate);
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }
}
