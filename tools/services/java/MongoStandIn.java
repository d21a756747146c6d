import com.sun.management.OperatingSystemMXBean;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.AbstractMongoBackend;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.h2.mvstore.MVStore;

/**
 * A server that speaks MongoDB's protocol on the loopback, for tests where there is no mongod: mongo-java-server.
 *
 * <pre>java MongoStandIn PORT         keeps its data in memory
 * java MongoStandIn PORT FILE    keeps them in the file</pre>
 *
 * Prints "ready" when it takes connections. Ends with 1 when it cannot.
 */
public class MongoStandIn {
  public static void main(String[] args) {
    try {
      AbstractMongoBackend backend = args.length > 1 ? new DurableBackend(args[1]) : new CountingBackend();
      backend.version(new Version());
      new MongoServer(backend).bind("127.0.0.1", Integer.parseInt(args[0]));
      System.out.println("ready");
    } catch (Throwable error) {
      error.printStackTrace();
      System.exit(1); // the threads of a server that did not bind would go on
    }
  }
}

/**
 * One command at a time, in the file before it is answered: a SIGKILL loses nothing that anybody has seen, and leaves no
 * command half done. (H2Backend by itself writes some tenths of a second later.)
 */
class DurableBackend extends H2Backend {
  DurableBackend(String file) {
    super(open(file));
  }

  private static MVStore open(String file) {
    MVStore store = new MVStore.Builder().fileName(file).autoCommitDisabled().open();
    store.setRetentionTime(0); // it would keep what is overwritten for 45 s, against a loss of power: ten times the file
    return store;
  }

  @Override
  public synchronized Document handleMessage(MongoMessage message) {
    Document answer = super.handleMessage(message);
    commit();
    return answer;
  }
}

/**
 * In memory, for benchmarks. Tells in serverStatus, as a mongod does, how often each command came ({@code metrics.commands}),
 * and how much time of a processor it has used: all of it as {@code extra_info.user_time_us}.
 */
class CountingBackend extends MemoryBackend {
  private final Map<String, LongAdder> calls = new ConcurrentHashMap<>();

  @Override
  public Document handleMessage(MongoMessage message) {
    String command = message.getDocument().keySet().iterator().next();
    calls.computeIfAbsent(command, name -> new LongAdder()).increment();
    Document answer = super.handleMessage(message);
    return command.equals("serverStatus") ? withCosts(answer) : answer;
  }

  private Document withCosts(Document status) {
    Document commands = new Document();
    calls.forEach((name, times) -> commands.put(name, new Document("total", times.sum())));
    long nanos = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime();
    return status
        .append("metrics", new Document("commands", commands))
        .append("extra_info", new Document("user_time_us", nanos / 1000).append("system_time_us", 0L));
  }
}

/** What today's drivers accept. */
class Version implements MongoVersion {
  @Override
  public List<Integer> getVersionArray() {
    return List.of(7, 0, 0);
  }

  @Override
  public int getWireVersion() {
    return 21;
  }
}
