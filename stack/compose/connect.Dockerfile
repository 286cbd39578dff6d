# Kafka Connect with Debezium and the Avro converter, from the same poms and versions as the local stack: what the tests
# run is what the container runs. (Debezium's own image brings its own choice of Kafka and of Avro converter.)
FROM maven:3.9.11-eclipse-temurin-17 AS plugins
WORKDIR /build
COPY stack/debezium/pom.xml debezium/pom.xml
COPY stack/avro-converter/pom.xml avro-converter/pom.xml
RUN mvn -B -ntp -f debezium/pom.xml dependency:copy-dependencies -DoutputDirectory=/build/archives \
  && mvn -B -ntp -f avro-converter/pom.xml dependency:copy-dependencies -DoutputDirectory=/plugins/avro-converter \
  && mkdir -p /plugins/debezium \
  && tar -xzf /build/archives/debezium-connector-postgres-*.tar.gz -C /plugins/debezium

FROM apache/kafka:4.3.1
COPY --from=plugins /plugins /opt/connect/plugins
COPY stack/compose/connect-worker.properties /opt/connect/worker.properties
COPY stack/log4j2.properties /opt/connect/log4j2.properties
ENV LOG_DIR=/tmp \
  KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=/opt/connect/log4j2.properties
EXPOSE 8083
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/kafka/bin/connect-distributed.sh", "/opt/connect/worker.properties"]
